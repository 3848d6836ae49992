"""Curves of the rows of a flat page, from strips of paper around their 0 mV lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.reader.layout.rows import Row

PX_PER_MM, COLUMNS_PER_MM = 6, 12
"""Resolution of a strip down and across: 300 columns a second at 25 mm/s, so that the steep parts
of a QRS complex take several columns."""

HEIGHT = 320
"""Height of a strip in pixels, 53 mm: 2.7 mV on either side of 0 mV at 10 mm/mV."""

MULTIPLE = 64
"""Strips are as wide as a multiple of this."""

Tracer = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""From strips (B, 3, HEIGHT, W) uint8 to the log-density of the trace's height (B, HEIGHT, W) and
the logit of a column's being printed (B, W)."""


class Curve(NamedTuple):
    """The trace of a row; column k is at (k + 0.5) / COLUMNS_PER_MM mm from the page's left.

    Attributes:
        y: (W,) height in mm from the top of the page.
        spread: (W,) standard deviation of the height in mm.
        printed: (W,) the probability that the trace is printed there.
    """

    y: NDArray[np.float64]
    spread: NDArray[np.float64]
    printed: NDArray[np.float64]


def read_curves(flat: NDArray[np.uint8], rows: list[Row], tracer: Tracer) -> list[Curve]:
    """Return the curve of every row.

    Args:
        flat: (H, W, 3) uint8, the flat page at `PX_PER_MM` down and `COLUMNS_PER_MM` across.
    """
    width = flat.shape[1]
    wide = -(-width // MULTIPLE) * MULTIPLE
    curves = []
    for row in rows:
        top = round(row.y * PX_PER_MM) - HEIGHT // 2
        strip = cut(flat, top, wide)
        logit, printed = tracer(np.ascontiguousarray(strip.transpose(2, 0, 1))[None])
        y, spread = heights(logit[0, :, :width])
        probability = 1 / (1 + np.exp(-printed[0, :width].astype(np.float64)))
        curves.append(Curve((y + top) / PX_PER_MM, spread / PX_PER_MM, probability))
    return curves


def cut(flat: NDArray[np.uint8], top: int, width: int) -> NDArray[np.uint8]:
    """Return (HEIGHT, width, 3): a part of the page, continued by its edges beyond them."""
    height = flat.shape[0]
    above, below = max(-top, 0), max(top + HEIGHT - height, 0)
    part = flat[max(top, 0) : max(min(top + HEIGHT, height), 0)]
    return np.asarray(cv2.copyMakeBorder(
        part, above, below, 0, width - flat.shape[1], cv2.BORDER_REPLICATE
    ), np.uint8)  # fmt: skip


def heights(logit: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean height in every column and its standard deviation, in pixels from the top.

    The mean of the density has the least squared error of all answers.

    Args:
        logit: (H, W).
    """
    density = np.exp(logit.astype(np.float64) - logit.max(0))
    density /= density.sum(0)
    middles = np.arange(len(logit))[:, None] + 0.5
    mean = (density * middles).sum(0)
    return mean, np.sqrt((density * np.square(middles - mean)).sum(0))
