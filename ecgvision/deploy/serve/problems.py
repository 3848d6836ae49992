"""Typed error bodies: a code, a message and a remedy, and the status that goes with them."""

from __future__ import annotations

from typing import Any

from ecgvision.core.errors import (
    EcgVisionError,
    FormatError,
    LimitError,
    UnreadablePageError,
)

STATUS = {
    "invalid_request": 422, "unauthorized": 401, "unknown_host": 421, "not_found": 404,
    "not_allowed": 405, "no_labels": 404, "slow_upload": 408, "too_large": 413,
    "unsupported_format": 415, "damaged_file": 422, "unreadable_page": 422, "over_time": 422,
    "over_memory": 422, "too_many_requests": 429, "busy": 503, "internal_error": 500,
}  # fmt: skip
"""Status of each error by its code."""


class Problem(Exception):
    """An answer that is an error.

    Args:
        code: one of `STATUS`.
        message: what is wrong, without the name of a file.
        remedy: what to do.
        retry_after: seconds after which the request may be repeated; None: not at all.
        pages: answers of single pages, where the file was opened.
    """

    def __init__(
        self, code: str, message: str, remedy: str = "", *, retry_after: int | None = None,
        pages: list[dict[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy
        self.retry_after, self.pages = retry_after, pages

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]

    def body(self) -> dict[str, Any]:
        """Return the error as plain JSON values."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


def code_of(error: EcgVisionError) -> str:
    """Return the code of an error that reading a file raised."""
    if isinstance(error, FormatError):
        return "unsupported_format"
    if isinstance(error, LimitError):
        return "too_large"
    if isinstance(error, UnreadablePageError):
        return "unreadable_page"
    return "damaged_file"


def as_json(error: EcgVisionError) -> dict[str, Any]:
    """Return an error of a file as plain JSON values; the file's name is left out."""
    message = error.what if error.value is None else f"{error.what} (got {error.value!r})"
    return {"code": code_of(error), "message": message, "remedy": error.remedy}
