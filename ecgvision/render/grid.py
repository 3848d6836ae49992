"""The empty page: paper, grid and frame.

Vertical lines depend only on the column and horizontal ones only on the row, so a page has only a
few distinct rows. Only these are computed and cached. Colouring them costs next to nothing.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgvision.core.page import Page
from ecgvision.render.style import Style

FRAME_PT = 0.8
MINOR_MM = 1.0


def line_coverage(positions: NDArray[np.float64], width: float, size: int) -> NDArray[np.int64]:
    """Return the (size,) coverage 0-255 along one axis of straight lines of `width` px.

    Lines at `positions` px are snapped to the pixel raster as matplotlib's Agg backend snaps
    straight paths. The centre is in the middle of a pixel if the rounded width is odd, and at an
    edge if it is even.
    """
    cover = np.zeros(size)
    centre = np.floor(positions + 0.5) + (0.5 if round(width) % 2 else 0.0)
    low, high = centre - width / 2, centre + width / 2
    for offset in range(-1, math.ceil(width) + 2):
        pixel = np.floor(low).astype(np.int64) + offset
        share = np.minimum(high, pixel + 1) - np.maximum(low, pixel)
        inside = (share > 0) & (pixel >= 0) & (pixel < size)
        np.maximum.at(cover, pixel[inside], np.minimum(share[inside], 1.0))
    return (cover * 255).astype(np.int64)


def _axis(
    length_mm: float, page: Page, style: Style, size: int, *, flip: bool
) -> tuple[NDArray, NDArray]:
    """Return coverage of major and minor lines along an axis; minors skip the majors' places."""
    steps = np.arange(math.floor(length_mm / MINOR_MM + 1e-9) + 1)
    found = []
    for wanted, points in zip((steps % 5 == 0, steps % 5 != 0), style.grid_pt, strict=True):
        at = steps[wanted] * MINOR_MM * page.px_per_mm
        width = points * page.dpi / 72
        found.append(line_coverage(size - at if flip else at, width, size))
    return found[0], found[1]


def _over(below: NDArray, colour: ArrayLike, cover: ArrayLike) -> NDArray:
    share = np.asarray(cover)
    return (below * (255 - share) + np.asarray(colour) * share) // 255


@lru_cache(maxsize=256)  # a few KB each; fits every paper at every training resolution
def empty_page(page: Page, style: Style) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the distinct rows of the page before anything is drawn on it.

    Returns:
        templates (K, W, 3) uint8, and the template of every row of the page, (H,) int64. The order
        of painting is the kit's: vertical majors, vertical minors, horizontal majors, horizontal
        minors, frame. Both are read-only, because they are shared between calls.
    """
    height, width = page.size
    across = np.empty((width, 3), np.int64)
    across[:] = style.paper_rgb
    rows = np.zeros((height, 3), np.int64)  # coverage of major, minor and frame
    if style.grid:
        major, minor = style.grid_rgb
        x_major, x_minor = _axis(page.paper_mm[1], page, style, width, flip=False)
        across = _over(across, major, x_major[:, None])
        if style.minor == "lines":
            across = _over(across, minor, x_minor[:, None])
        rows[:, 0], rows[:, 1] = _axis(page.paper_mm[0], page, style, height, flip=True)
        # a minor row has a line across it, or dots where lines would cross
        crossing = {"lines": np.full(width, 255), "dots": x_minor, "none": np.zeros(width, int)}
        beads = crossing[style.minor]
    sides = np.zeros(width, np.int64)
    if style.frame:
        thick = FRAME_PT * page.dpi / 72
        rows[:, 2] = line_coverage(np.array([0.0, float(height)]), thick, height)
        sides = line_coverage(np.array([0.0, float(width)]), thick, width)
    codes, which = np.unique(rows @ (65536, 256, 1), return_inverse=True)
    kinds = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    templates = np.empty((len(kinds), width, 3), np.uint8)
    black = np.zeros(3, np.int64)
    for i, (h_major, h_minor, edge) in enumerate(kinds):
        line = across
        if style.grid:
            line = _over(line, major, h_major)
            line = _over(line, minor, (beads * h_minor // 255)[:, None])
        templates[i] = _over(_over(line, black, edge), black, sides[:, None])
    which = which.astype(np.int64)
    templates.setflags(write=False)
    which.setflags(write=False)
    return templates, which
