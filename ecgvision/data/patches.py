"""Signals cut into patches, as PatchECG reads them, with what a layout hides left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ecgvision.data.augment import SignalAugment
from ecgvision.data.cohort import Cohort
from ecgvision.data.masks import layout_mask, noise_blocks
from ecgvision.data.module import EcgDataModule
from ecgvision.data.patching import PatchSettings, normalise_record, to_patches
from ecgvision.data.resample import resample
from ecgvision.ecg import DataError
from ecgvision.layouts import RANDOM, RANDOM_LAYOUTS, pick_layout
from ecgvision.render.artefacts import CLEAN

NO_LAYOUT = -1
"""The layout of a training item: none of the list was asked for."""

REDRAWS = 32
"""Masks that are tried on a training record before it counts as one that cannot be shown. Our
default: only records that are nearly empty need a second, and a layout that shows one of them a
third of the time is missed 32 times running twice in a million."""


def network_signal(
    cohort: Cohort, position: int, section: Mapping[str, Any]
) -> NDArray[np.float32]:
    """(12, T) of a whole record as a network gets it: mV, or as `normalise` says; NaN if missing.

    Args:
        section: the configuration's `data`: seconds, signal_rate and, where there is one,
            normalise.
    """
    signal = cohort.signal(position, section["seconds"], section["signal_rate"])
    observed = ~np.isnan(signal)
    if section.get("normalise", "none") == "record" and observed.any():
        return normalise_record(signal, observed)
    return signal


class PatchDataset(Dataset[dict[str, Any]]):
    """Patches of one split.

    In training a record appears once an epoch under a mask drawn anew, a pure function of
    (seed, epoch, record), and of a longer recording a window drawn by lot. In evaluation every
    record appears in every layout of the list, from the recording's beginning; which layout
    `random` is depends on the record alone, so that every run is judged on the same windows.

    Item:
        value: float32 (12, P, L) in mV (or as `settings.normalise` says), 0 where unobserved ·
        observed: bool (12, P, L), False too where the record itself has no sample ·
        target: float32 (C,) · index: the record's row over all stores · layout: which of
        `settings.layouts` was asked for, `NO_LAYOUT` in training · artefact: 0, as no page was
        printed.

    Raises:
        DataError: at an item of which nothing is observed. Training first draws other masks, so
            there it says that the record holds (next to) nothing within its patches; evaluation
            names record and layout and leaves nothing out silently.
    """

    def __init__(
        self, cohort: Cohort, positions: NDArray[np.int64], settings: PatchSettings, *,
        train: bool, seed: int, augment: SignalAugment | None = None,
    ) -> None:  # fmt: skip
        self.cohort, self.positions, self.settings = cohort, positions, settings
        self.train, self.seed = train, seed
        self.augment = augment if train else None
        names = () if train else {*settings.layouts, *RANDOM_LAYOUTS} - {RANDOM}
        self._shown = {
            name: layout_mask(settings.page(name), settings.length, settings.rate) for name in names
        }

    def __len__(self) -> int:
        return len(self.positions) * (1 if self.train else len(self.settings.layouts))

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, item = key
        layout, number = (NO_LAYOUT, item) if self.train else divmod(item, len(self.positions))
        position = int(self.positions[number])
        index = int(self.cohort.index[position])
        if self.train:
            rng = np.random.default_rng([self.seed, epoch, index, 2])
            signal, observed = self._hidden(position, rng)
        else:
            signal, observed = self._printed(position, index, self.settings.layouts[layout])
        if self.settings.normalise == "record":
            signal = normalise_record(signal, observed)
        signal = np.where(observed, signal, np.float32(0))
        return {
            "value": torch.from_numpy(self._cut(signal)),
            "observed": torch.from_numpy(self._cut(observed)),
            "target": torch.from_numpy(self.cohort.targets[position].astype(np.float32)),
            "index": index,
            "layout": layout,
            "artefact": 0,
        }

    def _hidden(
        self, position: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """A training record's (12, T) signal, and what of it the mask leaves."""
        settings = self.settings
        signal = self._window(position, rng)
        recorded = ~np.isnan(signal)
        if not self._cut(recorded).any():
            raise self._nothing(position, "the record holds no sample within its patches")
        if settings.noise > 0:
            signal = noise_blocks(rng, signal, settings.noise)
        for _ in range(REDRAWS):
            observed = recorded & settings.mask.draw(rng, settings.length, settings.rate)
            if self._cut(observed).any():
                return signal, observed
        raise self._nothing(
            position, f"the record holds so little that {REDRAWS} masks have hidden all of it"
        )

    def _printed(
        self, position: int, index: int, layout: str
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """An evaluated record's (12, T) signal, and what of it the layout shows."""
        # what `random` is depends on the record alone: neither the run nor the list counts
        name = pick_layout(layout, np.random.default_rng([index]))
        signal = self._window(position, None)
        observed = ~np.isnan(signal) & self._shown[name]
        if not self._cut(observed).any():
            asked = name if layout == name else f"{name} (drawn as {layout})"
            raise self._nothing(
                position, f"layout {asked} shows nothing that the record holds within its patches"
            )
        return signal, observed

    def _window(self, position: int, rng: np.random.Generator | None) -> NDArray[np.float32]:
        """(12, T) mV at the network's rate: a stretch drawn by lot, or the first."""
        return self.cohort.signal(
            position, self.settings.seconds, self.settings.rate, rng, self.augment
        )

    def _cut(self, samples: NDArray[Any]) -> NDArray[Any]:
        return to_patches(samples, self.settings.patch_length, self.settings.stride)

    def _nothing(self, position: int, why: str) -> DataError:
        return DataError(
            f"nothing observed: {why}",
            value=str(self.cohort.records["record_id"].iloc[position]),
            remedy="Leave the record out of the store, or the layout out of data.layouts",
        )


class PatchDataModule(EcgDataModule):
    """Train, validation and test loaders of patches.

    Args:
        cohort: records, targets and splits.
        settings: how records become patches.
        augment: vary the training signals (`SignalAugment`); the paper does not.
        Others: see `EcgDataModule`.

    Raises:
        ConfigError: if a store's rate stands in no simple ratio to the patches'.
    """

    def __init__(
        self, cohort: Cohort, settings: PatchSettings, *, augment: bool = False, **loader: Any
    ) -> None:
        super().__init__(cohort, **loader)
        self.settings, self.augment = settings, augment
        for rate in {store.rate for store in cohort.stores}:
            resample(np.zeros((1, 1), np.float32), rate, settings.rate)  # refuses odd ratios

    @property
    def layouts(self) -> Sequence[str]:
        return self.settings.layouts

    @property
    def artefacts(self) -> Sequence[str]:
        """None but the clean one: a signal meets no scanner."""
        return (CLEAN,)

    def dataset(self, split: str) -> PatchDataset:
        return PatchDataset(
            self.cohort, self.positions(split), self.settings,
            train=split == "train", seed=self.seed,
            augment=SignalAugment() if self.augment else None,
        )  # fmt: skip
