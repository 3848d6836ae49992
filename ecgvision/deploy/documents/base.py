"""What every kind of document offers, and the errors that all share. Base install only."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import FormatError, ImageError, LimitError
from ecgvision.deploy.limits import Limits
from ecgvision.deploy.picture import read_picture


class Document(Protocol):
    """A file of one or more pages."""

    def __len__(self) -> int:
        """Number of pages, at least one."""

    def read(self, page: int) -> NDArray[np.uint8]:
        """Return a page as (H, W, 3) uint8 RGB; pages count from 0.

        Raises:
            ImageError: if this page is damaged, too small or too large.
        """


class Picture:
    """A file that is one picture."""

    def __init__(self, data: bytes, file: str, limits: Limits) -> None:
        self._data, self._file, self._limits = data, file, limits

    def __len__(self) -> int:
        return 1

    def read(self, page: int) -> NDArray[np.uint8]:
        return read_picture(self._data, self._file, self._limits)


def page_place(page: int, pages: int) -> dict[str, int]:
    """Return what JSON says of a page's place in its file: nothing of a file of one page.

    Args:
        page: its number, from 0.
        pages: of the file.
    """
    return {"page_number": page + 1, "pages": pages} if pages > 1 else {}


def page_name(file: str, page: int, pages: int) -> str:
    """Return what a page is called in messages: the file, and the page's number from 1."""
    return file if pages == 1 else f"{file}, page {page + 1}"


def check_pages(pages: int, file: str, limits: Limits) -> None:
    """Refuse a document without pages, or with too many.

    Raises:
        ImageError, LimitError: naming their number.
    """
    if pages < 1:
        raise ImageError("the file has no pages", file=file, remedy="Save the page again")
    if pages > limits.pages:
        raise LimitError("the file has too many pages", file=file, value=pages,
                         remedy=f"At most {limits.pages} are read; split it")  # fmt: skip


def need(module: str, package: str, kind: str, file: str, otherwise: str) -> ModuleType:
    """Import the package that reads a kind of file.

    Args:
        module: to import.
        package: that holds it.
        kind: of file, with its article.
        otherwise: how the file can be converted without the package.

    Raises:
        FormatError: if the package is not installed; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise FormatError(
            f"{kind} is read with {package}, which is not installed", file=file,
            remedy=f"pip install 'ecgvision[files]' (in the checkout '.[files]'). Or {otherwise}",
        ) from error  # fmt: skip
