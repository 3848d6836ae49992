"""Pages beyond the usual: what only who learns to read is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.ecg import ConfigError, LayoutError
from ecgvision.layouts import ANY, pick_layout
from ecgvision.page import Page

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
        unreadable: that are one of `spoil`, of which nothing is to be read; without any, a reader
            finds leads on whatever it is shown.

    Raises:
        ConfigError: for another share.
    """

    arrangement: float = 0.0
    scale: float = 0.0
    unreadable: float = 0.0

    def __post_init__(self) -> None:
        for name in ("arrangement", "scale", "unreadable"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"data.{name} must lie in [0, 1)", value=getattr(self, name))

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

    def spoils(self, rng: np.random.Generator) -> bool:
        """Whether the page is to be spoilt."""
        return _lot(self.unreadable, rng)


def _lot(share: float, rng: np.random.Generator) -> bool:
    """Whether a page is one of a share; of none, nothing is drawn, and all else stays as it was."""
    return share > 0 and bool(rng.random() < share)


def spoil(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture of which no lead can be read: the page turned over, on its side or mirrored, two
    pages at once, the page's empty part alone, or another picture altogether. Our choice of what is
    met beside pages.

    Args:
        image: (h, w, 3) uint8 page.
        rng: which of them.

    Returns:
        (h, w, 3), (w, h, 3), or of more than the height or the width, uint8.
    """
    kind = int(rng.integers(7))
    if kind == 0:
        return np.ascontiguousarray(np.rot90(image, 2))
    if kind == 1:
        return np.ascontiguousarray(np.rot90(image, 1 if rng.random() < 0.5 else 3))
    height, width = image.shape[:2]
    if kind == 2:  # the paper, its ink smeared out of it
        tile = image[: height // 8, : width // 8]
        return np.asarray(cv2.resize(tile, (width, height), interpolation=cv2.INTER_LINEAR))
    if kind == 3:
        coarse = rng.integers(0, 256, (*rng.integers(2, 48, 2), 3), dtype=np.uint8)
        return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    if kind == 4:
        return np.ascontiguousarray(image[:, ::-1])
    return _two(image, rng)


def _two(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One after the other on a sheet of the paper's colour that they need not fill."""
    pair = np.concatenate([image, image], axis=int(rng.integers(2)))
    edges = [int(rng.uniform(0, 0.3) * n) for n in (*pair.shape[:2], *pair.shape[:2])]
    colour = np.median(image.reshape(-1, 3), axis=0).astype(int).tolist()
    above, left, below, right = edges
    return np.asarray(cv2.copyMakeBorder(pair, above, below, left, right, cv2.BORDER_CONSTANT,
                                         value=colour))  # fmt: skip
