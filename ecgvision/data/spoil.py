"""Pictures of which no lead can be read, made of pages of which some could."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


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
