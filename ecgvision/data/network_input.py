"""Preparation of drawn or scanned pages for the network.

Training pages and bedside scans both pass through `to_network`, so that a student sees only images
that were prepared in the same way. Imports numpy and OpenCV only, because a base install uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ImageError

PAPER_WHITE = 255


class Placement(NamedTuple):
    """Position of an image in the network's input, in pixels.

    Holds the image's size there, and the margins above and to the left.
    """

    height: int
    width: int
    top: int
    left: int


def placement(picture: Sequence[int], size: Sequence[int]) -> Placement:
    """Return the largest placement that fits, with the aspect kept and equal margins.

    Args:
        picture, size: (height, width) of the image and of the network's input.
    """
    scale = min(size[0] / picture[0], size[1] / picture[1])
    height, width = (min(s, max(1, round(p * scale))) for s, p in zip(size, picture, strict=True))
    return Placement(height, width, (size[0] - height) // 2, (size[1] - width) // 2)


def to_network(image: NDArray[np.uint8], size: Sequence[int]) -> NDArray[np.uint8]:
    """Resize a page of any resolution to the network's input size, keeping its aspect.

    Downscaling averages over pixel areas (so thin traces fade instead of breaking); upscaling is
    bilinear. The page is padded with paper white, in equal margins.

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
    inner_h, inner_w, top, left = placement((h, w), (height, width))
    while scale <= 1 / 4:  # exact means of 2 x 2 pixels are far cheaper than one large step
        image, scale = _halve(image), scale * 2
    if (inner_h, inner_w) != image.shape[:2]:
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (inner_w, inner_h), interpolation=method), np.uint8)
    if (inner_h, inner_w) == (height, width):
        return image
    out = np.full((height, width, 3), PAPER_WHITE, np.uint8)
    out[top : top + inner_h, left : left + inner_w] = image
    return out


def _halve(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average 2 x 2 pixels; an odd last row or column counts twice."""
    h, w = image.shape[:2]
    if h % 2 or w % 2:
        image = np.asarray(
            cv2.copyMakeBorder(image, 0, h % 2, 0, w % 2, cv2.BORDER_REPLICATE), np.uint8
        )
    half = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
