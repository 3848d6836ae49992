"""TIFF files of one or more pages (revision 6.0, section 2). Base install only."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ImageError
from ecgvision.deploy.containers import truncated
from ecgvision.deploy.documents.base import check_pages, page_name
from ecgvision.deploy.limits import Limits
from ecgvision.deploy.picture import read_picture


class TiffPages:
    """The pages of a TIFF.

    A page is decoded from a copy of the file whose header leads to that page's directory alone, so
    that each page passes the same checks as a file of one page.

    Args:
        data: content of the file.
        directories: offset of each page's directory.
    """

    def __init__(self, data: bytes, file: str, limits: Limits, directories: list[int]) -> None:
        self._data, self._file, self._limits = data, file, limits
        self._directories = directories

    def __len__(self) -> int:
        return len(self._directories)

    def read(self, page: int) -> NDArray[np.uint8]:
        name = page_name(self._file, page, len(self))
        if len(self) == 1:
            return read_picture(self._data, name, self._limits)
        order, at = _order(self._data), self._directories[page]
        alone = bytearray(self._data)
        struct.pack_into(order + "I", alone, 4, at)
        (count,) = struct.unpack_from(order + "H", alone, at)
        struct.pack_into(order + "I", alone, at + 2 + 12 * count, 0)
        return read_picture(bytes(alone), name, self._limits)


def open_tiff(data: bytes, file: str, limits: Limits) -> TiffPages:
    """Find the pages of a TIFF.

    Raises:
        ImageError: if it is truncated, or a page leads back to an earlier one.
        LimitError: if it has too many pages.
    """
    order, found = _order(data), list[int]()
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        while at:
            if at in found:
                raise ImageError("a page of the TIFF leads back to an earlier one", file=file,
                                 value=f"byte {at}", remedy="Save the pages again")  # fmt: skip
            found.append(at)
            check_pages(len(found), file, limits)
            (count,) = struct.unpack_from(order + "H", data, at)
            (at,) = struct.unpack_from(order + "I", data, at + 2 + 12 * count)
    except struct.error:
        raise truncated(file, len(data)) from None
    check_pages(len(found), file, limits)
    return TiffPages(data, file, limits, found)


def _order(data: bytes) -> str:
    return "<" if data[:2] == b"II" else ">"
