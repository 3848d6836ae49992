"""HEIC pictures, as phones take them (ISO/IEC 23008-12), through libheif.

libheif applies the file's own rotation; its EXIF orientation repeats it and is not applied again.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ecgvision.deploy.containers import damaged
from ecgvision.deploy.documents.base import need
from ecgvision.deploy.limits import Limits
from ecgvision.deploy.picture import check_size

_ISO = re.compile(rb"^....ftyp(....)", re.DOTALL)
_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
OTHERWISE = "convert it: heif-convert FILE page.png, or share it as JPEG from the phone"


def is_heic(data: bytes) -> bool:
    """Return whether the file begins as a HEIC does; AVIF pictures are of another codec."""
    found = _ISO.match(data[:16])
    return found is not None and found[1] in _BRANDS


class Heic:
    """The primary picture of a HEIC file."""

    def __init__(self, data: bytes, file: str, limits: Limits) -> None:
        library = need("pillow_heif", "pillow-heif", "a HEIC picture", file, OTHERWISE)
        self._file = file
        try:
            self._picture = library.open_heif(data, convert_hdr_to_8bit=True)
            width, height = self._picture.size
        except Exception as error:  # the library raises ValueError, RuntimeError, EOFError, ...
            raise damaged("the HEIC picture cannot be read", file, str(error)[:100]) from error
        check_size(height, width, file, limits)

    def __len__(self) -> int:
        return 1

    def read(self, page: int) -> NDArray[np.uint8]:
        try:
            picture = self._picture.to_pillow()
            if picture.mode not in ("RGB", "L"):
                picture = picture.convert("RGBA")
                paper = picture.copy()
                paper.paste((255, 255, 255, 255), (0, 0, *paper.size))
                paper.alpha_composite(picture)
                picture = paper
            return np.ascontiguousarray(picture.convert("RGB"), np.uint8)
        except Exception as error:
            raise damaged("the HEIC picture is damaged", self._file, str(error)[:100]) from error


def open_heic(data: bytes, file: str, limits: Limits) -> Heic:
    """Open a HEIC picture.

    Raises:
        FormatError: if pillow-heif is not installed.
        ImageError: if it is damaged, too small or too large.
    """
    return Heic(data, file, limits)
