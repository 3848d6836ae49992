"""Reading pages from files; all external pictures pass through this module.

A page is either refused with an `ImageError` or read as its author saw it. Pictures need the base
install only; PDF, DICOM and HEIC the extra `files`.
"""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ImageError, LimitError
from ecgvision.core.input_files import read_bytes
from ecgvision.deploy.documents import Document, open_document
from ecgvision.deploy.limits import DEFAULT, Limits

_UNREAD = {
    errno.ENOENT: ("no such file", "Check the path"),
    errno.EISDIR: ("is a folder, not a picture", "Name a file in it"),
    errno.EINVAL: ("not a regular file", "Save the page to a file"),
    errno.ENXIO: ("not a regular file", "Save the page to a file"),
}
"""What is wrong with a file that cannot be opened, and the remedy, by the system's number."""


def open_pages(path: str | os.PathLike[str], *, limits: Limits = DEFAULT) -> Document:
    """Open a file of one or more pages; each is decoded when it is asked for.

    Args:
        path: PNG, JPEG, BMP, WebP, TIFF, PDF, DICOM or HEIC; its type is determined by its content,
            not its name.
        limits: what exceeds them is refused.

    Raises:
        ImageError: if the file is missing, empty, of another kind, truncated, damaged, encrypted or
            too large, has too many pages, or needs a package that is not installed.
    """
    file = os.fspath(path)
    return open_document(_read(file, limits), file, limits)


def read_page(path: str | os.PathLike[str], *, max_pixels: int | None = None) -> NDArray[np.uint8]:
    """Read the page of a file of one page.

    Args:
        path: as for `open_pages`.
        max_pixels: larger pictures are refused before decoding; None: those above the default of
            `Limits`.

    Returns:
        (H, W, 3) uint8 RGB, with the EXIF orientation applied.

    Raises:
        ImageError: as `open_pages`; if the page is too small or too large, or does not fully define
            its colours; or if the file has several pages.
    """
    limits = DEFAULT if max_pixels is None else replace(DEFAULT, pixels=max_pixels)
    document = open_pages(path, limits=limits)
    if len(document) != 1:
        raise ImageError("the file has several pages", file=os.fspath(path), value=len(document),
                         remedy="Save one of them, or read all with open_pages")  # fmt: skip
    return document.read(0)


def _read(file: str, limits: Limits) -> bytes:
    try:
        data = read_bytes(file or ".", limit=limits.bytes)
    except (OSError, ValueError) as error:  # a ValueError for a NUL in the name
        number = getattr(error, "errno", None)
        if number == errno.EFBIG:
            raise LimitError(
                "the file is too large", file=file, value=f"over {limits.bytes:,} bytes",
                remedy="Scan the page at 200 to 300 dpi",
            ) from None  # fmt: skip
        what, remedy = _UNREAD.get(number or 0, ("cannot be read", "Check path and permissions"))
        value = None if number in _UNREAD else str(getattr(error, "strerror", "") or error)
        raise ImageError(what, file=file, value=value, remedy=remedy) from error
    if not data:
        raise ImageError("the file is empty", file=file, remedy="Copy or scan the page again")
    return data
