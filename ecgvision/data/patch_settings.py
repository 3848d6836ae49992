"""Settings of patches: how a record is cut into patches, and what training hides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import RANDOM, RANDOM_LAYOUTS
from ecgvision.data.masks import FRACTIONS, TrainMask, check_noise
from ecgvision.data.signal_settings import SignalSettings

FLAT_MV = 1e-6
"""Standard deviation in mV below which a record counts as flat and is only centred.

Our default: far below the step of any recorder, far above rounding.
"""


@dataclass(frozen=True, kw_only=True)
class PatchSettings(SignalSettings):
    """How records become patches. The defaults are those of PatchECG (arXiv 2508.09165).

    Attributes:
        seconds, rate, layouts: see `SignalSettings`.
        patch_length: samples L per patch.
        stride: samples from one patch to the next; samples at the end that fill no patch are
            dropped.
        train_mask: `none`, `blocks`, `layouts` or `both`; see `TrainMask`.
        fractions: fractions of a lead that a block may hide.
        noise: standard deviation in mV of the noise on one block of every lead in training; 0 adds
            none, the paper uses `masks.NOISE_MV`.
        normalise: `none` keeps mV; `record` subtracts the mean of all observed samples of all leads
            together, and divides by their standard deviation.

    Raises:
        ConfigError: as in `SignalSettings`, or for another invalid value.
        LayoutError: as in `SignalSettings`.
    """

    layouts: tuple[str, ...] = (*RANDOM_LAYOUTS, RANDOM)
    patch_length: int = 64
    stride: int = 64
    train_mask: str = "blocks"
    fractions: tuple[float, ...] = FRACTIONS
    noise: float = 0.0
    normalise: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_patches()
        if self.normalise not in ("none", "record"):
            raise ConfigError("patches are normalised by none or record", value=self.normalise)
        check_noise(self.noise)
        _ = self.mask  # checks the mode and the fractions

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
    def patches(self) -> int:
        """Number of patches P per lead."""
        return (self.length - self.patch_length) // self.stride + 1

    @cached_property
    def mask(self) -> TrainMask:
        """The mask used in training."""
        pages = tuple(self.page(name) for name in RANDOM_LAYOUTS)
        return TrainMask(self.train_mask, self.fractions, pages)


def to_patches(samples: NDArray[Any], patch_length: int, stride: int) -> NDArray[Any]:
    """Cut (leads, T) samples into (leads, P, L) patches; patch p starts at sample p * stride.

    P = (T - L) // stride + 1; samples at the end that fill no patch are dropped. Returns a new
    array.
    """
    return sliding_window_view(samples, patch_length, axis=1)[:, ::stride].copy()


def normalise_record(
    signal: NDArray[np.float32], observed: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Centre and scale all leads together, using only the observed samples.

    Args:
        signal: (leads, T) in mV; any values where unobserved.
        observed: (leads, T) bool, True at least once.

    Returns:
        (leads, T) float32, of mean 0 and standard deviation 1 over the observed samples; a flat
        record is only centred.
    """
    seen = signal[observed].astype(np.float64)
    mean, std = seen.mean(), seen.std()
    return ((signal - mean) / (std if std > FLAT_MV else 1.0)).astype(np.float32)
