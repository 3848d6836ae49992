"""Pages beyond the usual: what only who learns to read is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from ecgvision.core.errors import ConfigError, LayoutError
from ecgvision.core.layouts import ANY, pick_layout
from ecgvision.core.page import Page

GAINS, SPEEDS = (5.0, 10.0, 20.0), (25.0, 50.0)
"""mm/mV and mm/s that devices can be set to."""

FAST = 0.25
"""Probability of the greater speed, our default: it is the rarer one."""


@dataclass(frozen=True)
class PageVariation:
    """Shares of training pages that are not of the mix, in [0, 1) each.

    Attributes:
        arrangement: whose leads stand in any number and order, so that names must be read.
        scale: printed at another gain and speed than the paper's own, as far as the page fits.
        unreadable: that are one of `spoil.spoil`, of which nothing is to be read; without any, a
            reader finds leads on whatever it is shown.
        cut: of which a side is lost, so that leads lie elsewhere than on a whole page.

    Raises:
        ConfigError: for another share.
    """

    arrangement: float = 0.0
    scale: float = 0.0
    unreadable: float = 0.0
    cut: float = 0.0

    def __post_init__(self) -> None:
        for name, share in asdict(self).items():
            if not 0 <= share < 1:
                raise ConfigError(f"data.{name} must lie in [0, 1)", value=share)

    def layout(self, name: str, rng: np.random.Generator) -> str:
        """The layout of the mix, or any."""
        return pick_layout(ANY if _lot(self.arrangement, rng) else name, rng)

    def page(self, make: Callable[..., Page], rng: np.random.Generator) -> Page:
        """A page, or the same at another scale.

        Args:
            make: takes `speed` and `gain`, or neither.
        """
        if _lot(self.scale, rng):
            try:
                speed = SPEEDS[int(_lot(FAST, rng))]
                return make(speed=speed, gain=float(rng.choice(GAINS)))
            except LayoutError:
                pass
        return make()

    def cuts(self, rng: np.random.Generator) -> bool:
        """Whether the page is to lose a side."""
        return _lot(self.cut, rng)

    def spoils(self, rng: np.random.Generator) -> bool:
        """Whether the page is to be spoilt."""
        return _lot(self.unreadable, rng)


def _lot(share: float, rng: np.random.Generator) -> bool:
    """Whether a page is one of a share; of none, nothing is drawn, and all else stays as it was."""
    return share > 0 and bool(rng.random() < share)
