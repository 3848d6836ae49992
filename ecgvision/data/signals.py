"""Base classes of signal loaders: records shown as a layout prints them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ecgvision.core.errors import DataError
from ecgvision.core.layouts import RANDOM, RANDOM_LAYOUTS, WILDCARD_LAYOUTS, pick_layout
from ecgvision.data.augment import SignalAugment
from ecgvision.data.cohort import Cohort
from ecgvision.data.masks import layout_mask
from ecgvision.data.module import EcgDataModule
from ecgvision.data.resample import fit_length, resample, resample_shown
from ecgvision.data.signal_settings import SignalSettings
from ecgvision.render.artefacts import CLEAN

NO_LAYOUT = -1
"""Layout index of a training item, for which no layout is requested."""

Settings = TypeVar("Settings", bound=SignalSettings)


@dataclass(frozen=True)
class Asked:
    """The item that a key requests.

    Attributes:
        position: position of the record in the cohort.
        index: row of the record over all stores.
        layout: index into `settings.layouts`, `NO_LAYOUT` in training.
        rng: generator for all randomness of the item, None in evaluation.
    """

    position: int
    index: int
    layout: int
    rng: np.random.Generator | None


class SignalDataset(Dataset[dict[str, Any]], Generic[Settings]):
    """Signals of one split; subclasses define the items.

    In training, a record occurs once per epoch, and its item is a pure function of (seed, epoch,
    record). In evaluation, every record occurs in every layout of the list. The choice of `random`
    depends only on the record, so that every run is evaluated on the same items.

    Attributes:
        stream: separates the random numbers of a subclass from those of others.
    """

    stream: ClassVar[int]

    def __init__(
        self, cohort: Cohort, positions: NDArray[np.int64], settings: Settings, *,
        train: bool, seed: int, augment: SignalAugment | None = None,
    ) -> None:  # fmt: skip
        self.cohort, self.positions, self.settings = cohort, positions, settings
        self.train, self.seed = train, seed
        self.augment = augment if train else None
        names = RANDOM_LAYOUTS if RANDOM in settings.layouts else ()
        sizes = {(settings.length, settings.rate)}  # and at the stores' rates: masks come first
        sizes |= {(round(settings.seconds * s.rate), s.rate) for s in cohort.stores}
        self._shown = {
            (name, *size): self._mask(name, *size)
            for name in (() if train else {*settings.layouts, *names}.difference(WILDCARD_LAYOUTS))
            for size in sizes
        }

    def __len__(self) -> int:
        return len(self.positions) * (1 if self.train else len(self.settings.layouts))

    def asked(self, key: tuple[int, int]) -> Asked:
        """Return the item that (epoch, item) requests."""
        epoch, item = key
        layout, number = (NO_LAYOUT, item) if self.train else divmod(item, len(self.positions))
        position = int(self.positions[number])
        index = int(self.cohort.index[position])
        seed = [self.seed, epoch, index, self.stream]
        return Asked(position, index, layout, np.random.default_rng(seed) if self.train else None)

    def window(self, asked: Asked) -> tuple[NDArray[np.float32], float]:
        """Return (12, T) mV at the record's own rate, NaN where missing, and that rate in Hz.

        Training takes a random window of a longer recording and augments it. Evaluation takes the
        first.
        """
        window, own = self.cohort.window(asked.position, self.settings.seconds, asked.rng)
        if self.augment is not None and asked.rng is not None:
            window = self.augment(window, own, asked.rng)
        return window, own

    def shown(
        self, window: NDArray[np.float32], own: float,
        mask: Callable[[int, float], NDArray[np.bool_]],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:  # fmt: skip
        """Mask a window and resample it to the network's rate; see `resample_shown`."""
        return resample_shown(window, own, self.settings.rate, self.settings.length, mask)

    def whole(self, window: NDArray[np.float32], own: float) -> NDArray[np.float32]:
        """Return (12, T) of a window at the network's rate, unmasked; NaN where missing."""
        return fit_length(resample(window, own, self.settings.rate), self.settings.length)

    def layout(self, asked: Asked) -> str:
        """Return the layout of an evaluation item; `random` depends only on the record."""
        layout = self.settings.layouts[asked.layout]
        return pick_layout(layout, np.random.default_rng([asked.index]))

    def printed(self, asked: Asked) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return an evaluation record's (12, T) signal, and which samples are observed.

        Observed samples are shown by the layout and recorded.
        """
        return self.shown(*self.window(asked), partial(self._known_mask, self.layout(asked)))

    def _known_mask(self, name: str, length: int, rate: float) -> NDArray[np.bool_]:
        known = self._shown.get((name, length, rate))
        return self._mask(name, length, rate) if known is None else known

    def _mask(self, name: str, length: int, rate: float) -> NDArray[np.bool_]:
        return layout_mask(self.settings.page(name), length, rate)

    def labelled(self, asked: Asked) -> dict[str, Any]:
        """Return the entries of an item beside its signals: target, index, layout and artefact.

        The target is float32 (C,). The artefact is 0, because no page is printed.
        """
        target = self.cohort.targets[asked.position].astype(np.float32)
        return {"target": torch.from_numpy(target), "index": asked.index,
                "layout": asked.layout, "artefact": 0}  # fmt: skip

    def nothing(self, asked: Asked, why: str) -> DataError:
        """Return the error for an item without any observed sample, naming the record."""
        return DataError(
            f"nothing observed: {why}",
            value=str(self.cohort.records["record_id"].iloc[asked.position]),
            remedy="Leave the record out of the store, or the layout out of data.layouts",
        )


class SignalDataModule(EcgDataModule, Generic[Settings]):
    """Train, validation and test loaders of signals.

    Args:
        cohort: records, targets and splits.
        settings: how records become items.
        augment: augment the training signals (`SignalAugment`); the papers do not.
        Others: see `EcgDataModule`.

    Attributes:
        items: the dataset class of a split.

    Raises:
        ConfigError: if a store's rate is not in a simple ratio to the items' rate.
    """

    items: ClassVar[type[SignalDataset[Any]]]

    def __init__(
        self, cohort: Cohort, settings: Settings, *, augment: bool = False, **loader: Any
    ) -> None:
        super().__init__(cohort, **loader)
        self.settings, self.augment = settings, augment
        for rate in {store.rate for store in cohort.stores}:
            resample(np.zeros((1, 1), np.float32), rate, settings.rate)  # checks the ratio

    @property
    def layouts(self) -> Sequence[str]:
        return self.settings.layouts

    @property
    def artefacts(self) -> Sequence[str]:
        """Only `clean`: a signal has no page artefacts."""
        return (CLEAN,)

    def dataset(self, split: str) -> SignalDataset[Settings]:
        return self.items(
            self.cohort, self.positions(split), self.settings,
            train=split == "train", seed=self.seed,
            augment=SignalAugment() if self.augment else None,
        )  # fmt: skip
