"""Settings of crops. Imports nothing slow, so that they can be checked first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ecgvision.core.errors import ConfigError
from ecgvision.data.signal_settings import SignalSettings


@dataclass(frozen=True, kw_only=True)
class CropSettings(SignalSettings):
    """How records become crops. Defaults are Phan et al.'s (arXiv 2210.06297, public code).

    Attributes:
        seconds, rate, layouts: see `SignalSettings`; what a layout hides is 0.
        crop_seconds: length of a crop.
        crop_stride: seconds from one crop to the next in evaluation.
        crops: number of crops drawn from a record in each training epoch.

    Raises:
        ConfigError: as in `SignalSettings`, or for another invalid value.
        LayoutError: as in `SignalSettings`.
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
        """Samples per crop."""
        return round(self.crop_seconds * self.rate)

    @property
    def starts(self) -> list[int]:
        """First samples of the crops in evaluation; the last crop ends with the window."""
        last = self.length - self.samples
        return [*range(0, last, round(self.crop_stride * self.rate)), last]
