"""How much darker than its surroundings each pixel of a picture is: the input of the grid search."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

WINDOW = 31
"""Side in pixels of the surroundings that a pixel is compared with; our default."""

CLAMP = (-1.2, 1.5)
"""Limits of the contrast, in units of its mean size around the pixel; our default. They keep a
trace from outweighing the fainter lines of the grid."""


def line_contrast(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the contrast of every pixel, large on printed lines of any colour.

    The darkest of the three channels counts, in which a coloured grid is most visible. Dividing by
    the mean size of the contrast nearby makes faint and strong grids, light and shadow alike.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        (H, W) float32, clamped to `CLAMP`.
    """
    dark = 255 - image.min(axis=2).astype(np.float32)
    over = dark - cv2.blur(dark, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
    wide = 4 * WINDOW + 1
    size = cv2.blur(np.abs(over), (wide, wide), borderType=cv2.BORDER_REFLECT) + 1.0
    return np.clip(over / size, *CLAMP).astype(np.float32)
