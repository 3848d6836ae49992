"""Page variation for the training of readers, beyond the mix of layouts, papers and artefacts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from ecgvision.core.errors import ConfigError, LayoutError
from ecgvision.core.layouts import ANY, pick_layout
from ecgvision.core.page import Page

GAINS, SPEEDS = (5.0, 10.0, 20.0), (25.0, 50.0)
"""Settings of devices in mm/mV and mm/s."""

FAST = 0.25
"""Probability of the higher speed; our default: it is the rarer one."""


@dataclass(frozen=True)
class PageVariation:
    """Shares of training pages that differ from the mix, each in [0, 1).

    Attributes:
        arrangement: pages with any number and order of leads, so that names must be read.
        scale: pages printed at another gain and speed than the paper's own, if they fit on it.
        unreadable: pages made unreadable by `unreadable.spoil`; without any, a reader finds leads
            in every image.
        cut: pages that lost a side, so that leads are elsewhere than on a complete page.

    Raises:
        ConfigError: for a share outside this range.
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
        """Return the name of the given layout, or of any arrangement."""
        return pick_layout(ANY if _lot(self.arrangement, rng) else name, rng)

    def page(self, make: Callable[..., Page], rng: np.random.Generator) -> Page:
        """Return a page at its own scale, or at another one.

        Args:
            make: makes the page; takes `speed` and `gain`, or neither.
        """
        if _lot(self.scale, rng):
            try:
                speed = SPEEDS[int(_lot(FAST, rng))]
                return make(speed=speed, gain=float(rng.choice(GAINS)))
            except LayoutError:
                pass
        return make()

    def cuts(self, rng: np.random.Generator) -> bool:
        """Return whether the page is to lose a side."""
        return _lot(self.cut, rng)

    def spoils(self, rng: np.random.Generator) -> bool:
        """Return whether the page is to be made unreadable."""
        return _lot(self.unreadable, rng)


def _lot(share: float, rng: np.random.Generator) -> bool:
    """Return True with probability `share`; for 0 the random state stays unchanged."""
    return share > 0 and bool(rng.random() < share)
