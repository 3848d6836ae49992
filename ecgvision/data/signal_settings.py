"""What the settings of all loaders of signals hold: the window, its rate, and the layouts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ecgvision.core.errors import ConfigError, about_setting
from ecgvision.core.layouts import MANY, get_layout
from ecgvision.core.page import Page


@dataclass(frozen=True, kw_only=True)
class SignalSettings:
    """How records become windows of signals, and what of them is shown in evaluation.

    Attributes:
        seconds: window of the record.
        rate: Hz of the network's signals.
        layouts: that every record is evaluated in: as `get_layout` takes them, `random` for one
            of the registry's first six, `any` for leads in any arrangement.

    Raises:
        ConfigError: for a window or a rate that is not positive; if no layout is named, or one
            twice.
        LayoutError: for an unknown layout, or a window that it does not hold.
    """

    seconds: float = 10.0
    rate: float = 100.0
    layouts: tuple[str, ...] = ("12x1",)

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) and v > 0 for v in (self.rate, self.seconds)):
            raise ConfigError("data.signal_rate and data.seconds must be positive",
                              value=(self.rate, self.seconds))  # fmt: skip
        if not self.layouts or len(set(self.layouts)) < len(self.layouts):
            raise ConfigError("data.layouts must name at least one layout, and none twice",
                              value=list(self.layouts))  # fmt: skip
        with about_setting("data.layouts"):
            for name in self.layouts:
                if name not in MANY:
                    self.page(name)

    @property
    def length(self) -> int:
        """Samples of the window."""
        return round(self.seconds * self.rate)

    def page(self, layout: str) -> Page:
        """A layout over the window.

        Raises:
            LayoutError: for an unknown layout, or a window that it does not hold.
        """
        return Page(get_layout(layout), seconds=self.seconds)
