"""Reading pages from picture files; all external pictures pass through this module.

A page is either refused with an `ImageError` or read as its author saw it. 16-bit pixels are
rounded to 8, transparency is blended on white, CMYK is converted if the file defines how its inks
are stored, and EXIF rotation is applied. Base install only.
"""

from __future__ import annotations

import errno
import os
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ImageError
from ecgvision.core.input_files import read_bytes
from ecgvision.deploy.containers import Header, read_header
from ecgvision.deploy.decoding import decode

MIN_SIDE = 64
"""Smallest side in pixels (our default: below it a row of a three-row page has under 20)."""
MAX_SIDE = 16_384
"""Largest side in pixels (our default: A4 at 1200 dpi is 14,031)."""
MAX_PIXELS = 128_000_000
"""Largest number of pixels (our default: A4 at 600 dpi has 35 million, a phone's 64.1 to 108).

Reading so many takes 0.8 GB of memory from a JPEG, 1.2 GB from a BMP and 2.1 GB from a PNG of 16
bits with transparency (measured)."""
MAX_BYTES = 512_000_000
"""Largest file in bytes (our default: `MAX_PIXELS` of uncompressed RGB take 384 million)."""
_UNREAD = {
    errno.ENOENT: ("no such file", "Check the path"),
    errno.EISDIR: ("is a folder, not a picture", "Name a file in it"),
    errno.EINVAL: ("not a regular file", "Save the page to a file"),
    errno.ENXIO: ("not a regular file", "Save the page to a file"),
}
"""What is wrong with a file that cannot be opened, and the remedy, by the system's number."""


def read_page(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read a PNG, JPEG, BMP, TIFF or WebP picture of a page.

    Args:
        path: the file; its type is determined by its content, not its name.
        max_pixels: larger pictures are refused before decoding.

    Returns:
        (H, W, 3) uint8 RGB, with the EXIF orientation applied.

    Raises:
        ImageError: if the file is missing, empty, of another kind, truncated, damaged, too small or
            too large, has several pages, or does not fully define its colours.
    """
    file = os.fspath(path)
    data = _read(file)
    header = read_header(data, file)
    _check_size(header, file, max_pixels)
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
    return _upright(_to_rgb(decode(data, header, file)), header.orientation)


def _read(file: str) -> bytes:
    try:
        data = read_bytes(file or ".", limit=MAX_BYTES)
    except (OSError, ValueError) as error:  # a ValueError for a NUL in the name
        number = getattr(error, "errno", None)
        if number == errno.EFBIG:
            raise ImageError("the file is too large", file=file, value=f"over {MAX_BYTES:,} bytes",
                             remedy="Scan the page at 200 to 300 dpi") from None  # fmt: skip
        what, remedy = _UNREAD.get(number or 0, ("cannot be read", "Check path and permissions"))
        value = None if number in _UNREAD else str(getattr(error, "strerror", "") or error)
        raise ImageError(what, file=file, value=value, remedy=remedy) from error
    if not data:
        raise ImageError("the file is empty", file=file, remedy="Copy or scan the page again")
    return data


def _check_size(header: Header, file: str, max_pixels: int) -> None:
    height, width = header.height, header.width
    size = f"{width} x {height} pixels"
    if min(height, width) < MIN_SIDE:
        raise ImageError(
            "the picture is too small for a readable page",
            file=file,
            value=size,
            remedy=f"Each side must have at least {MIN_SIDE} pixels; scan at 100 dpi or more",
        )
    if max(height, width) > MAX_SIDE or height * width > max_pixels:
        raise ImageError(
            "the picture is too large",
            file=file,
            value=size,
            remedy=f"At most {MAX_SIDE:,} pixels a side and {max_pixels:,} in all are read; "
            "scan the page at 200 to 300 dpi or shrink it",
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
