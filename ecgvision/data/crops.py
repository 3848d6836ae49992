"""Short crops of signals: random in training, overlapping (by half) in evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError
from ecgvision.data.cohort import Cohort
from ecgvision.data.crop_settings import CropSettings
from ecgvision.data.label_fraction import choose, tell
from ecgvision.data.signals import SignalDataModule, SignalDataset


class CropDataset(SignalDataset[CropSettings]):
    """Crops of one split; see `SignalDataset`.

    Item:
        signal: float32 (K, 12, L) mV, 0 where unobserved. In training K is `settings.crops`, drawn
            within the recorded part; otherwise it is the number of `settings.starts`.
        present: bool (K,), False for crops without any observed sample.
        Further entries: see `labelled`.

    Raises:
        DataError: if nothing of an item is observed, naming the record.
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
        """Draw starts of crops within the recorded part, or its start if it is shorter."""
        size, times = self.settings.samples, np.flatnonzero(observed.any(0))
        first = min(int(times[0]), self.settings.length - size)
        last = max(first, int(times[-1]) + 1 - size)
        return [int(s) for s in rng.integers(first, last + 1, size=self.settings.crops)]


class CropDataModule(SignalDataModule[CropSettings]):
    """Data loaders of crops.

    Args:
        label_fraction: fraction of the training patients that is used; see `choose`.
        Others: see `SignalDataModule`.

    Raises:
        ConfigError: as in `SignalDataModule`, or for a fraction outside (0, 1].
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
        """Return the positions of a split; training is reduced to the requested fraction."""
        whole = super().positions(split)
        if split != "train" or self.label_fraction == 1:
            return whole
        return choose(self.cohort, whole, self.label_fraction, seed=self.seed)

    def about(self) -> dict[str, Any]:
        if self.label_fraction == 1:
            return {}
        whole, chosen = self.cohort.positions("train"), self.positions("train")
        return {"label_fraction": tell(self.cohort, whole, chosen, self.label_fraction)}
