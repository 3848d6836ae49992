"""Datasets of signal patches for PatchECG, without the samples that a layout hides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgvision.data.cohort import Cohort
from ecgvision.data.masks import noise_blocks
from ecgvision.data.patch_settings import PatchSettings, normalise_record, to_patches
from ecgvision.data.signals import Asked, SignalDataModule, SignalDataset

REDRAWS = 32
"""Number of masks tried on a training record before it is refused. Our default.

Only nearly empty records need a second mask. A layout that shows such a record a third of the time
fails 32 times in a row with a probability of two in a million.
"""


def network_signal(
    cohort: Cohort, position: int, section: Mapping[str, Any]
) -> NDArray[np.float32]:
    """Return the (12, T) signal of a complete record as a network receives it.

    Values are in mV or normalised as `normalise` says, NaN where missing.

    Args:
        section: the configuration's `data` section: seconds, signal_rate and, if present,
            normalise.
    """
    signal = cohort.signal(position, section["seconds"], section["signal_rate"])
    observed = ~np.isnan(signal)
    if section.get("normalise", "none") == "record" and observed.any():
        return normalise_record(signal, observed)
    return signal


class PatchDataset(SignalDataset[PatchSettings]):
    """Patches of one split; see `SignalDataset`. Training draws a new mask for every item.

    Item:
        value: float32 (12, P, L) in mV (or normalised by `settings.normalise`), 0 where unobserved.
        observed: bool (12, P, L), also False where the record itself has no sample.
        Further entries: see `labelled`.

    Raises:
        DataError: if nothing of an item is observed. Training first tries other masks, so there the
            error means that the record holds (next to) nothing within its patches. In evaluation it
            names the record and the layout; no item is skipped silently.
    """

    stream = 2

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        asked = self.asked(key)
        signal, observed = self._seen(asked) if asked.rng is None else self._hidden(asked)
        if self.settings.normalise == "record":
            signal = normalise_record(signal, observed)
        signal = np.where(observed, signal, np.float32(0))
        return {
            "value": torch.from_numpy(self._cut(signal)),
            "observed": torch.from_numpy(self._cut(observed)),
            **self.labelled(asked),
        }

    def _hidden(self, asked: Asked) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return a training record's (12, T) signal, and which samples the mask leaves observed."""
        settings, rng = self.settings, asked.rng
        assert rng is not None
        window, own = self.window(asked)
        noise = np.zeros((len(window), settings.length), np.float32)
        if settings.noise > 0:
            noise = noise_blocks(rng, noise, settings.noise)
        for _ in range(REDRAWS):
            mask = settings.mask.choose(rng, settings.length, settings.rate)
            signal, observed = self.shown(window, own, mask.at)
            if self._cut(observed).any():
                return signal + noise, observed
        if not self._cut(~np.isnan(self.whole(window, own))).any():
            raise self.nothing(asked, "the record holds no sample within its patches")
        raise self.nothing(
            asked, f"the record holds so little that {REDRAWS} masks have hidden all of it"
        )

    def _seen(self, asked: Asked) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return an evaluation record's (12, T) signal, and which samples the layout shows."""
        signal, observed = self.printed(asked)
        if not self._cut(observed).any():
            layout, name = self.settings.layouts[asked.layout], self.layout(asked)
            drawn = name if layout == name else f"{name} (drawn as {layout})"
            raise self.nothing(
                asked, f"layout {drawn} shows nothing that the record holds within its patches"
            )
        return signal, observed

    def _cut(self, samples: NDArray[Any]) -> NDArray[Any]:
        return to_patches(samples, self.settings.patch_length, self.settings.stride)


class PatchDataModule(SignalDataModule[PatchSettings]):
    """Data loaders of patches; see `SignalDataModule`."""

    items = PatchDataset
