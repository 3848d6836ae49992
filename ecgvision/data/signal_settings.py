"""Common settings of all signal loaders: the window, its rate, and the layouts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ecgvision.core.errors import ConfigError, about_setting
from ecgvision.core.layouts import WILDCARD_LAYOUTS, get_layout
from ecgvision.core.page import Page


@dataclass(frozen=True, kw_only=True)
class SignalSettings:
    """How records become windows of signals, and which part of them evaluation shows.

    Attributes:
        seconds: length of the window.
        rate: Hz of the network's signals.
        layouts: layouts in which every record is evaluated: names as in `get_layout`, `random` for
            one of `RANDOM_LAYOUTS`, `any` for leads in any arrangement.

    Raises:
        ConfigError: if the window or the rate is not positive, if no layout is named, or one twice.
        LayoutError: if a layout is unknown, or does not hold the window.
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
                if name not in WILDCARD_LAYOUTS:
                    self.page(name)

    @property
    def length(self) -> int:
        """Samples per window."""
        return round(self.seconds * self.rate)

    def page(self, layout: str) -> Page:
        """Return the page of a layout over the window.

        Raises:
            LayoutError: if the layout is unknown, or does not hold the window.
        """
        return Page(get_layout(layout), seconds=self.seconds)
