"""Signals cut into patches, as PatchECG reads them, with what a layout hides left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ecgvision.data.cohort import Cohort
from ecgvision.data.masks import FRACTIONS, TrainMask, check_noise, layout_mask, noise_blocks
from ecgvision.data.module import EcgDataModule
from ecgvision.data.pages import CLEAN, RANDOM
from ecgvision.data.resample import fit_length, resample
from ecgvision.ecg import ConfigError, DataError
from ecgvision.layouts import RANDOM_LAYOUTS, get_layout
from ecgvision.page import Page

NO_LAYOUT = -1
"""The layout of a training item: none of the list was asked for."""

REDRAWS = 32
"""Masks that are tried on a training record before it counts as one that cannot be shown. Our
default: only records that are nearly empty need a second, and a layout that shows one of them a
third of the time is missed 32 times running twice in a million."""

FLAT_MV = 1e-6
"""Standard deviation below which a record is flat and only centred: far below the step of any
recorder, far above rounding. Our default."""


@dataclass(frozen=True)
class PatchSettings:
    """How records become patches. The defaults are PatchECG's (arXiv 2508.09165).

    Attributes:
        patch_length: samples L of a patch.
        stride: samples from one patch to the next; samples at the end that fill no patch are
            dropped.
        rate: Hz of the network's signals.
        seconds: window of the record, up to the layouts' ten.
        layouts: that every record is evaluated in: names from the registry, or `random` for any
            of its first six.
        train_mask: `none`, `blocks`, `layouts` or `both`; see `TrainMask`.
        fractions: shares of a lead that a block may hide.
        noise: mV, standard deviation of the noise on one block of every lead in training; 0 adds
            none, the paper's is `masks.NOISE_MV`.
        normalise: `none` leaves mV; `record` takes from every observed sample the mean of all
            observed samples of all leads together, and divides by their standard deviation.

    Raises:
        ConfigError: for a figure or a word that makes no sense.
        LayoutError: for an unknown layout, or a window that no layout holds.
    """

    patch_length: int = 64
    stride: int = 64
    rate: float = 100.0
    seconds: float = 10.0
    layouts: tuple[str, ...] = (*RANDOM_LAYOUTS, RANDOM)
    train_mask: str = "blocks"
    fractions: tuple[float, ...] = FRACTIONS
    noise: float = 0.0
    normalise: str = "none"

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) and v > 0 for v in (self.rate, self.seconds)):
            raise ConfigError("data.signal_rate and data.seconds must be positive",
                              value=(self.rate, self.seconds))  # fmt: skip
        self._check_patches()
        if self.normalise not in ("none", "record"):
            raise ConfigError("patches are normalised by none or record", value=self.normalise)
        check_noise(self.noise)
        if not self.layouts or len(set(self.layouts)) < len(self.layouts):
            raise ConfigError("data.layouts must name at least one layout, and none twice",
                              value=list(self.layouts))  # fmt: skip
        for name in self.layouts:
            if name != RANDOM:
                self.page(name)
        _ = self.mask  # refuses a mode or fractions that make no sense

    def _check_patches(self) -> None:
        sizes = (self.patch_length, self.stride)
        if not all(isinstance(v, int) and v >= 1 for v in sizes):
            raise ConfigError("a patch's length and stride are whole numbers of samples from 1 on",
                              value=sizes)  # fmt: skip
        if self.patch_length > self.length:
            raise ConfigError(
                f"no patch fits in {self.seconds:g} s at {self.rate:g} Hz",
                value=self.patch_length,
                remedy=f"Choose a patch of up to {self.length} samples",
            )
        if self.stride > self.patch_length:
            raise ConfigError(
                "a stride longer than the patch would leave out samples between patches",
                value=sizes,
                remedy=f"Choose a stride of up to {self.patch_length} samples",
            )

    @property
    def length(self) -> int:
        """Samples of the window."""
        return round(self.seconds * self.rate)

    @property
    def patches(self) -> int:
        """Patches P of a lead."""
        return (self.length - self.patch_length) // self.stride + 1

    @cached_property
    def mask(self) -> TrainMask:
        """What training hides."""
        pages = tuple(self.page(name) for name in RANDOM_LAYOUTS)
        return TrainMask(self.train_mask, self.fractions, pages)

    def page(self, layout: str) -> Page:
        """A layout over the window.

        Raises:
            LayoutError: for an unknown layout, or a window that it does not hold.
        """
        return Page(get_layout(layout), seconds=self.seconds)


def to_patches(samples: NDArray[Any], patch_length: int, stride: int) -> NDArray[Any]:
    """(leads, T) to (leads, P, L): patch p holds the samples from p * stride on.

    P = (T - L) // stride + 1; the samples at the end that fill no patch are dropped. A new array.
    """
    return sliding_window_view(samples, patch_length, axis=1)[:, ::stride].copy()


def normalise_record(
    signal: NDArray[np.float32], observed: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Centre and scale all leads together by what is observed of them, and of that alone.

    Args:
        signal: (leads, T) in mV; anything where unobserved.
        observed: (leads, T) bool, True at least once.

    Returns:
        (leads, T) float32, of mean 0 and standard deviation 1 over the observed samples; a flat
        record is centred only.
    """
    seen = signal[observed].astype(np.float64)
    mean, std = seen.mean(), seen.std()
    return ((signal - mean) / (std if std > FLAT_MV else 1.0)).astype(np.float32)


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
        train: bool, seed: int,
    ) -> None:  # fmt: skip
        self.cohort, self.positions, self.settings = cohort, positions, settings
        self.train, self.seed = train, seed
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
        name = layout
        if layout == RANDOM:  # of the record alone: neither the run nor the list counts
            rng = np.random.default_rng([index])
            name = RANDOM_LAYOUTS[int(rng.integers(len(RANDOM_LAYOUTS)))]
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
        signal, rate = self.cohort.read(position)
        length = round(self.settings.seconds * rate)
        spare = signal.shape[1] - length
        start = int(rng.integers(spare + 1)) if rng is not None and spare > 0 else 0
        signal = resample(fit_length(signal, length, start), rate, self.settings.rate)
        return fit_length(signal, self.settings.length)

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
        Others: see `EcgDataModule`.

    Raises:
        ConfigError: if a store's rate stands in no simple ratio to the patches'.
    """

    def __init__(self, cohort: Cohort, settings: PatchSettings, **loader: Any) -> None:
        super().__init__(cohort, **loader)
        self.settings = settings
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
        )  # fmt: skip
