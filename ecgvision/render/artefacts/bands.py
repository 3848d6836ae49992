"""Interpolation of coarse values to pixels, one band of rows at a time.

A band's floats stay in the processor's cache; complete pages of floats take several times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

BAND_PX = 32  # rows of a band, a multiple of every cell
BAND_PIXELS = 32 * 1024  # narrow images get more rows: three floats of each pixel are 400 kB


def bands(
    nodes: NDArray[np.float32], cell: int, size: tuple[int, int]
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield bands of an image of `size` (height, width), interpolated linearly.

    Args:
        nodes: (h + 2, w + 2, C) values at the centres of cells, with one more cell beyond each
            edge; h and w are height and width in cells, rounded up.
        cell: side of a cell in pixels.

    Yields:
        the rows as a slice, and (rows, width, C) float32.
    """
    height, width = size
    deep = max(1, BAND_PIXELS // (width * BAND_PX)) * BAND_PX
    for top in range(0, height, deep):
        bottom = min(top + deep, height)
        part = nodes[top // cell : -(-bottom // cell) + 2]
        wanted = part.shape[1] * cell, part.shape[0] * cell
        full = cv2.resize(part, wanted, interpolation=cv2.INTER_LINEAR)
        yield slice(top, bottom), full[cell : cell + bottom - top, cell : cell + width]
