"""Loaders of pages to learn reading from; an epoch is a number of pages, whatever the stores."""

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
    """`pages` of a `ReadingDataset` an epoch: one turn of all records after another, each turn in
    an order of its own and with pages of its own. What an item is depends on (seed, epoch, item).
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
    """Endless training pages, and fixed ones of the validation and test folds.

    Args:
        cohort: its stores and folds; no label is looked at.
        settings: which pages.
        pages: of each split: of an epoch in training, at most so many in `val` and `test`, where a
            record gives one.
        variation: of the training signals; None shows them as recorded.
        beyond: what pages in training are beyond the mix; None: nothing.
        Others: see `EcgDataModule`.

    Raises:
        ConfigError: for fewer training pages than one batch, or no others.
    """

    needs_labels = False

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
        """Refuse a training split without a record; pages there are without end."""
        self.positions("train")

    def setup(self, stage: str | None = None) -> None:
        super().setup(stage)
        self.check_training()

    def dataset(self, split: str) -> Dataset[dict[str, Any]]:
        """`EndlessPages` of `train`; a `ReadingDataset` of `val` or `test`."""
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
