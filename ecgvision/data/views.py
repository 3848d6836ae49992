"""The one way from a page, drawn or scanned, to the network.

Training pages and bedside scans both pass through `to_network`, so a student never meets a
picture that was prepared otherwise. Imports numpy and OpenCV only: a base install uses it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.ecg import ImageError

PAPER_WHITE = 255


def to_network(image: NDArray[np.uint8], size: Sequence[int]) -> NDArray[np.uint8]:
    """Bring a page of any resolution to the network's input size, its aspect kept.

    Shrinking averages over pixel areas (so thin traces fade instead of breaking); enlarging is
    bilinear. What the page does not cover is white like paper, in equal margins.

    Args:
        image: (h, w, 3) uint8 RGB.
        size: `[height, width]` of the result.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ImageError: if the image is not (h, w, 3) uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ImageError(
            "a page must be an (h, w, 3) uint8 RGB array", value=(image.shape, str(image.dtype))
        )
    height, width = int(size[0]), int(size[1])
    h, w = image.shape[:2]
    scale = min(height / h, width / w)
    inner_h = min(height, max(1, round(h * scale)))
    inner_w = min(width, max(1, round(w * scale)))
    if (inner_h, inner_w) != (h, w):
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (inner_w, inner_h), interpolation=method), np.uint8)
    if (inner_h, inner_w) == (height, width):
        return image
    out = np.full((height, width, 3), PAPER_WHITE, np.uint8)
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    out[top : top + inner_h, left : left + inner_w] = image
    return out
