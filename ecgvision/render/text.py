"""Text as coverage maps, drawn once by matplotlib's Agg backend and cached.

matplotlib ships the DejaVu fonts, so no system font is needed.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

COARSE_BELOW_PX = 24.0
COARSE_PX = 0.25

FACES = {
    "sans": ("DejaVu Sans", "normal"),
    "sans bold": ("DejaVu Sans", "bold"),
    "mono": ("DejaVu Sans Mono", "normal"),
    "mono bold": ("DejaVu Sans Mono", "bold"),
    "serif": ("DejaVu Serif", "normal"),
}

Glyphs = tuple[NDArray[np.uint8], int, int]


def text_coverage(text: str, points: float, dpi: float, font: str = "sans") -> Glyphs:
    """Return the coverage of one line of text.

    Sizes of small text are rounded to a quarter of a pixel. Training draws at every resolution, and
    so finds nearly all of its text in the cache. A line of text then ends within a pixel of its
    exact position.

    Returns:
        (h, w) uint8, 255 where fully covered, and the offset (below, right) of its top left pixel
        from the pixel corner where the baseline starts. Empty for text without ink.
    """
    return _drawn(text, _pixels(points, dpi), font)


def pieces(text: str, points: float, dpi: float, font: str = "sans") -> list[Glyphs]:
    """Return the same line in parts, digits one by one, each as from `text_coverage`.

    This is for text with random numbers, whose complete lines would never be in the cache. Every
    part starts at a whole pixel.
    """
    pixels = _pixels(points, dpi)
    found, at = [], 0.0
    for part in re.findall(r"\d|[^\d]+", text):
        cover, below, right = _drawn(part, pixels, font)
        found.append((cover, below, right + round(at)))
        at += _advance(part, pixels, font)
    return found


def _pixels(points: float, dpi: float) -> float:
    pixels = points * dpi / 72
    if pixels < COARSE_BELOW_PX:
        pixels = max(COARSE_PX, round(pixels / COARSE_PX) * COARSE_PX)
    return pixels


@lru_cache(maxsize=4096)
def _advance(text: str, pixels: float, font: str) -> float:
    """Return the distance to the start of the next text.

    It is measured up to a bar, because trailing blanks have no ink.
    """
    return _extent(text + "|", pixels, font)[0] - _extent("|", pixels, font)[0]


def _extent(text: str, pixels: float, font: str) -> tuple[float, float, float]:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(8, 8, 72.0).get_text_width_height_descent(
        text, _properties(pixels, font), False
    )


def _properties(pixels: float, font: str):
    from matplotlib.font_manager import FontProperties

    family, weight = FACES[font]
    return FontProperties(family=family, weight=weight, size=pixels)


@lru_cache(maxsize=4096)
def _drawn(text: str, pixels: float, font: str) -> Glyphs:
    from matplotlib.backends.backend_agg import RendererAgg

    wide, high, deep = _extent(text, pixels, font)
    margin = int(np.ceil(high)) + 4  # glyphs may extend beyond the measured box
    canvas = RendererAgg(int(np.ceil(wide)) + 2 * margin, int(np.ceil(high)) + 2 * margin, 72.0)
    anchor = margin + int(np.ceil(high - deep))
    context = canvas.new_gc()
    context.set_foreground("black")
    canvas.draw_text(context, margin, anchor, text, _properties(pixels, font), 0)
    cover = np.asarray(canvas.buffer_rgba())[..., 3]
    ys, xs = np.nonzero(cover)
    if len(ys) == 0:
        return np.zeros((0, 0), np.uint8), 0, 0
    top, left = int(ys.min()), int(xs.min())
    found = cover[top : ys.max() + 1, left : xs.max() + 1].copy()
    found.setflags(write=False)
    return found, top - anchor, left - margin
