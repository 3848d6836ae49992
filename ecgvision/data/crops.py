"""Short crops of signals: some drawn by lot in training, all that overlap by half in evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgvision.data.cohort import Cohort
from ecgvision.data.fraction import choose, tell
from ecgvision.data.signal_settings import SignalSettings
from ecgvision.data.signals import SignalDataModule, SignalDataset
from ecgvision.ecg import ConfigError


@dataclass(frozen=True, kw_only=True)
class CropSettings(SignalSettings):
    """How records become crops. The figures are Phan et al.'s (arXiv 2210.06297, public code).

    Attributes:
        seconds, rate, layouts: see `SignalSettings`; what a layout hides is 0.
        crop_seconds: length of a crop.
        crop_stride: seconds from one crop to the next in evaluation.
        crops: drawn from a record in each training epoch.

    Raises:
        ConfigError: as there, or for another figure that makes no sense.
        LayoutError: as there.
    """

    crop_seconds: float = 2.5
    crop_stride: float = 1.25
    crops: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("crop_seconds", "crop_stride"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} must be positive", value=value)
        if not 2 <= self.samples <= self.length:
            raise ConfigError(
                f"no crop of that length fits in {self.seconds:g} s at {self.rate:g} Hz",
                value=self.crop_seconds, remedy="Set data.crop_seconds to at most data.seconds",
            )  # fmt: skip
        if not 1 <= round(self.crop_stride * self.rate) <= self.samples:
            raise ConfigError("data.crop_stride must leave no gap between crops",
                              value=self.crop_stride)  # fmt: skip
        if self.crops < 1:
            raise ConfigError("data.crops must be at least 1", value=self.crops)

    @property
    def samples(self) -> int:
        """Samples of a crop."""
        return round(self.crop_seconds * self.rate)

    @property
    def starts(self) -> list[int]:
        """First samples of the crops in evaluation; the last crop ends with the window."""
        last = self.length - self.samples
        return [*range(0, last, round(self.crop_stride * self.rate)), last]


class CropDataset(SignalDataset[CropSettings]):
    """Crops of one split; see `SignalDataset`.

    Item:
        signal: float32 (K, 12, L) mV, 0 where unobserved; K is `settings.crops` in training,
        drawn within what was recorded, and else the number of `settings.starts` ·
        present: bool (K,), False for crops without any observed sample · and what `labelled` says.

    Raises:
        DataError: at an item of which nothing is observed, naming the record.
    """

    stream = 3

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        asked, settings = self.asked(key), self.settings
        if asked.rng is None:
            signal, observed = self.printed(asked)
        else:
            signal = self.whole(*self.window(asked))  # (12, T)
            observed = ~np.isnan(signal)
        if not observed.any():
            raise self.nothing(asked, "the record holds no sample, or the layout shows none")
        starts = settings.starts if asked.rng is None else self._drawn(observed, asked.rng)
        cuts = [slice(start, start + settings.samples) for start in starts]
        whole = np.where(observed, signal, np.float32(0))
        return {
            "signal": torch.from_numpy(np.stack([whole[:, cut] for cut in cuts])),
            "present": torch.tensor([bool(observed[:, cut].any()) for cut in cuts]),
            **self.labelled(asked),
        }

    def _drawn(self, observed: NDArray[np.bool_], rng: np.random.Generator) -> list[int]:
        """Starts of crops within what was recorded; a shorter recording is taken from its start."""
        size, times = self.settings.samples, np.flatnonzero(observed.any(0))
        first = min(int(times[0]), self.settings.length - size)
        last = max(first, int(times[-1]) + 1 - size)
        return [int(s) for s in rng.integers(first, last + 1, size=self.settings.crops)]


class CropDataModule(SignalDataModule[CropSettings]):
    """Loaders of crops.

    Args:
        label_fraction: share of the training patients that is used; see `choose`.
        Others: see `SignalDataModule`.

    Raises:
        ConfigError: as there, or for a fraction outside (0, 1].
    """

    items = CropDataset

    def __init__(
        self, cohort: Cohort, settings: CropSettings, *, label_fraction: float = 1.0, **more: Any
    ) -> None:
        super().__init__(cohort, settings, **more)
        self.label_fraction = label_fraction
        if not 0 < label_fraction <= 1:
            raise ConfigError("data.label_fraction must lie in (0, 1]", value=label_fraction)

    def positions(self, split: str) -> NDArray[np.int64]:
        """As in the cohort, but of training the share that is asked for."""
        whole = super().positions(split)
        if split != "train" or self.label_fraction == 1:
            return whole
        return choose(self.cohort, whole, self.label_fraction, seed=self.seed)

    def about(self) -> dict[str, Any]:
        if self.label_fraction == 1:
            return {}
        whole, chosen = self.cohort.positions("train"), self.positions("train")
        return {"label_fraction": tell(self.cohort, whole, chosen, self.label_fraction)}
