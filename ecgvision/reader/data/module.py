"""Data module for the training of readers; an epoch has a fixed number of pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ecgvision.core.errors import ConfigError
from ecgvision.data.cohort import SPLITS, Cohort
from ecgvision.data.module import EcgDataModule
from ecgvision.data.pages import PageSettings
from ecgvision.reader.data.page_variation import PageVariation
from ecgvision.reader.data.pages import ReadingDataset
from ecgvision.reader.data.signal_variation import SignalVariation


@lru_cache(maxsize=4)
def _order(seed: int, turn: int, length: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, turn, 3]).permutation(length)


class EndlessPages(Dataset[dict[str, Any]]):
    """`pages` items of a `ReadingDataset` per epoch, from an endless sequence of passes over it.

    Every pass has its own order of records and its own pages. An item is a pure function of (seed,
    epoch, item).
    """

    def __init__(self, records: ReadingDataset, pages: int, *, seed: int) -> None:
        self.records, self.pages, self.seed = records, pages, seed

    def __len__(self) -> int:
        return self.pages

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, item = key
        turn, number = divmod(epoch * self.pages + item, len(self.records))
        return self.records[(turn, int(_order(self.seed, turn, len(self.records))[number]))]


class ReadingDataModule(EcgDataModule):
    """Endless training pages, and fixed pages of the validation and test folds.

    Args:
        cohort: its stores and folds; labels are ignored.
        settings: which pages.
        pages: number of pages by split: per epoch for `train`, and the maximum for `val` and
            `test`, where each record gives one page.
        variation: of the training signals; None shows them as recorded.
        beyond: variation of training pages beyond the mix; None for no such variation.
        Others: see `EcgDataModule`.

    Raises:
        ConfigError: if the training pages do not fill one batch, or if there are no others.
    """

    needs_labels = False
    draws_pages = True

    def __init__(
        self, cohort: Cohort, settings: PageSettings, *, pages: dict[str, int],
        variation: SignalVariation | None, beyond: PageVariation | None = None, **loader: Any,
    ) -> None:  # fmt: skip
        super().__init__(cohort, **loader)
        self.settings, self.pages = settings, pages
        self.variation, self.beyond = variation, beyond
        if pages["train"] < self.batch_size:
            raise ConfigError("data.pages_per_epoch must fill a batch at least",
                              value=pages["train"],
                              remedy=f"data.batch_size is {self.batch_size}")  # fmt: skip
        if min(pages["val"], pages["test"]) < 1:
            raise ConfigError("data.val_pages and data.test_pages must be at least 1",
                              value=(pages["val"], pages["test"]))  # fmt: skip
        self._made: dict[str, Dataset[dict[str, Any]]] = {}

    @property
    def layouts(self) -> Sequence[str]:
        return self.settings.layouts

    @property
    def artefacts(self) -> Sequence[str]:
        return self.settings.artefacts

    def check_training(self) -> None:
        """Refuse a training split without records; their number may be less than a batch."""
        self.positions("train")

    def setup(self, stage: str | None = None) -> None:
        super().setup(stage)
        self.check_training()

    def dataset(self, split: str) -> Dataset[dict[str, Any]]:
        """Return the `EndlessPages` of `train`, or the `ReadingDataset` of `val` or `test`."""
        if split not in self._made:
            train = split == SPLITS[0]
            records = ReadingDataset(
                self.cohort.stores, self.settings, rows=self.cohort.index[self.positions(split)],
                train=train, seed=self.seed, limit=None if train else self.pages[split],
                variation=self.variation, beyond=self.beyond,
            )  # fmt: skip
            self._made[split] = (
                EndlessPages(records, self.pages["train"], seed=self.seed) if train else records
            )
        return self._made[split]
