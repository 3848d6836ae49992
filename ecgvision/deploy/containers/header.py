"""What the header of a picture file states, and the errors that all containers share."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from ecgvision.core.errors import FormatError, ImageError

Kind = Literal["PNG", "JPEG", "BMP", "TIFF", "WebP"]


@dataclass(frozen=True)
class Header:
    """Header of a picture file.

    Attributes:
        kind: the container.
        height, width: pixels as they are decoded, before `orientation` is applied.
        channels: colour components as stored (1 for palettes).
        orientation: EXIF orientation, 1 to 8, that the decoder leaves to us; 1 (upright) if none.
        adobe: whether a JPEG has an Adobe marker, so that four components are inverted inks.
        block: height and width of the units that a JPEG is stored in; (1, 1) for others.
        clear_grey: the grey level that a grey PNG declares transparent, as a fraction of white.
    """

    kind: Kind
    height: int
    width: int
    channels: int
    orientation: int = 1
    adobe: bool = False
    block: tuple[int, int] = (1, 1)
    clear_grey: float | None = None


def truncated(file: str, size: int) -> ImageError:
    """Return the error for a picture whose end is missing."""
    return ImageError(
        "the picture is cut short", file=file, value=f"{size} bytes", remedy="Copy the file again"
    )


def damaged(what: str, file: str, value: object) -> ImageError:
    """Return the error for a picture whose bytes contradict its structure."""
    return ImageError(what, file=file, value=value, remedy="Copy or scan the page again")


def unsupported(what: str, file: str, value: object = None) -> ImageError:
    """Return the error for a whole picture of a variant that is not read."""
    return FormatError(what, file=file, value=value, remedy="Save the page as PNG")


def exif_orientation(tiff: bytes) -> int:
    """Return EXIF tag 0x0112 of the first directory (Exif 2.3, section 4.6.4); 1 if unreadable.

    Broken EXIF blocks are common in camera files, so they are not an error: such a page is read as
    it is stored.
    """
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, offset)
        for i in range(entries):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, offset + 2 + 12 * i)
            if tag == 0x0112:
                return value if kind == 3 and count == 1 and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
