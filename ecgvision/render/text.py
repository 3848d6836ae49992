"""Text as coverage maps, drawn once by matplotlib's Agg backend and kept.

matplotlib ships DejaVu Sans, so no font is looked for on the machine.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

COARSE_BELOW_PX = 24.0
COARSE_PX = 0.25


def text_coverage(text: str, points: float, dpi: float) -> tuple[NDArray[np.uint8], int, int]:
    """Coverage of one line of text in DejaVu Sans.

    Small text is set in steps of a quarter of a pixel, so that training, which draws at every
    resolution, finds nearly all of its text in the cache; a line of it ends within a pixel of
    where it should.

    Returns:
        (h, w) uint8, 255 where wholly covered, and how far its top left pixel lies (below, right)
        of the pixel corner where the baseline starts. Empty for text without ink.
    """
    pixels = points * dpi / 72
    if pixels < COARSE_BELOW_PX:
        pixels = max(COARSE_PX, round(pixels / COARSE_PX) * COARSE_PX)
    return _drawn(text, pixels)


@lru_cache(maxsize=4096)
def _drawn(text: str, pixels: float) -> tuple[NDArray[np.uint8], int, int]:
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    font = FontProperties(family="DejaVu Sans", size=pixels)
    dpi = 72.0  # a point is a pixel
    wide, high, deep = RendererAgg(8, 8, dpi).get_text_width_height_descent(text, font, False)
    margin = int(np.ceil(high)) + 4  # glyphs may reach over the box that is measured
    canvas = RendererAgg(int(np.ceil(wide)) + 2 * margin, int(np.ceil(high)) + 2 * margin, dpi)
    anchor = margin + int(np.ceil(high - deep))
    context = canvas.new_gc()
    context.set_foreground("black")
    canvas.draw_text(context, margin, anchor, text, font, 0)
    cover = np.asarray(canvas.buffer_rgba())[..., 3]
    ys, xs = np.nonzero(cover)
    if len(ys) == 0:
        return np.zeros((0, 0), np.uint8), 0, 0
    top, left = int(ys.min()), int(xs.min())
    found = cover[top : ys.max() + 1, left : xs.max() + 1].copy()
    found.setflags(write=False)
    return found, top - anchor, left - margin
