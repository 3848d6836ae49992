"""One picture in memory, decoded as its author saw it. Base install only.

16-bit pixels are rounded to 8, transparency is blended on white, CMYK is converted if the file
defines how its inks are stored, and EXIF rotation is applied.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ImageError, LimitError
from ecgvision.deploy.containers import Header, read_header
from ecgvision.deploy.decoding import decode
from ecgvision.deploy.limits import DEFAULT, MIN_SIDE, Limits


def read_picture(data: bytes, file: str, limits: Limits = DEFAULT) -> NDArray[np.uint8]:
    """Decode a PNG, JPEG, BMP, WebP, or TIFF of one page.

    Args:
        data: the content of the file.
        file: its name, for messages.
        limits: larger pictures are refused before they are decoded.

    Returns:
        (H, W, 3) uint8 RGB, with the EXIF orientation applied.

    Raises:
        ImageError: if the picture is truncated, damaged, too small or too large, has several pages,
            or does not fully define its colours.
        FormatError: if it is of another kind.
    """
    header = read_header(data, file)
    check_size(header.height, header.width, file, limits)
    _check_colours(header, file)
    return _upright(_to_rgb(decode(data, header, file)), header.orientation)


def check_size(height: int, width: int, file: str, limits: Limits) -> None:
    """Refuse a page that is too small to be read, or larger than the limits.

    Raises:
        ImageError: if a side is too small.
        LimitError: if it is too large.
    """
    size = f"{width} x {height} pixels"
    if min(height, width) < MIN_SIDE:
        raise ImageError(
            "the picture is too small for a readable page",
            file=file,
            value=size,
            remedy=f"Each side must have at least {MIN_SIDE} pixels; scan at 100 dpi or more",
        )
    if max(height, width) > limits.side or height * width > limits.pixels:
        raise LimitError(
            "the picture is too large",
            file=file,
            value=size,
            remedy=f"At most {limits.side:,} pixels a side and {limits.pixels:,} in all are read; "
            "scan the page at 200 to 300 dpi or shrink it",
        )


def _check_colours(header: Header, file: str) -> None:
    if header.kind == "JPEG" and header.channels == 4 and not header.adobe:
        raise ImageError(
            "a CMYK JPEG that does not say how its inks are stored",
            file=file,
            remedy="Save it as RGB or greyscale",
        )
    if header.clear_grey is not None and header.clear_grey < 1:
        raise ImageError(
            "a grey PNG with a transparent grey level",
            file=file,
            value=round(header.clear_grey, 4),
            remedy="Flatten it on white",
        )


def _to_rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.ndim == 3 and image.shape[2] == 4:
        image = _on_white(image)
    if image.dtype == np.uint16:
        image = np.asarray(cv2.convertScaleAbs(image, alpha=255 / 65535))
    code = cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def _on_white(image: NDArray[Any]) -> NDArray[Any]:
    """Blend a (H, W, 4) picture with white paper: colour * alpha + white * (1 - alpha)."""
    white = np.iinfo(image.dtype).max
    colour, alpha = image[..., :3], image[..., 3:]
    if (alpha == white).all():
        return np.ascontiguousarray(colour)
    out = np.empty_like(colour)
    for top in range(0, len(image), 256):  # in bands: a large scan as float takes gigabytes
        rows = slice(top, top + 256)
        share = alpha[rows].astype(np.float32) / white
        mixed = white - (white - colour[rows].astype(np.float32)) * share
        out[rows] = np.rint(mixed).astype(image.dtype)
    return out


def _upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo EXIF orientation 1 to 8 (Exif 2.3, section 4.6.4)."""
    if orientation in (2, 5, 7, 4):
        image = np.flip(image, axis=1 if orientation != 4 else 0)
    turns = {3: 2, 6: 3, 8: 1, 5: 1, 7: 3}.get(orientation, 0)
    return np.ascontiguousarray(np.rot90(image, turns))
