"""The typed errors. Imports nothing, so that a command line answers at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class EcgVisionError(ValueError):
    """Something the user can put right: what is wrong, where, with which value, and what to do.

    Command lines print it on one line and exit with 2.
    """

    def __init__(
        self, what: str, *, file: str | Path | None = None, value: Any = None, remedy: str = ""
    ) -> None:
        if "Original Traceback" in what:  # torch's text of what a loader's worker raised
            what = what.rstrip().splitlines()[-1].split(": ", 1)[-1]
        self.what, self.file, self.value, self.remedy = what, file, value, remedy
        text = f"{file}: {what}" if file is not None else what
        if value is not None:
            text += f" (got {value!r})"
        if remedy:
            text += f". {remedy}"
        super().__init__(" ".join(text.split()))

    def __reduce__(self) -> tuple[Any, ...]:  # keyword arguments survive worker processes
        return (_rebuild, (type(self), self.what, self.file, self.value, self.remedy))


def _rebuild(
    kind: type[EcgVisionError], what: str, file: str | None, value: Any, remedy: str
) -> EcgVisionError:
    return kind(what, file=file, value=value, remedy=remedy)


@contextmanager
def about_setting(key: str) -> Iterator[None]:
    """Errors within say first of which setting they are, e.g. `data.layouts`."""
    try:
        yield
    except EcgVisionError as error:
        raise type(error)(f"{key}: {error.what}", file=error.file, value=error.value,
                          remedy=error.remedy) from error  # fmt: skip


class RecordError(EcgVisionError):
    """A waveform record that cannot be read as a 12-lead ECG."""


class StoreError(EcgVisionError):
    """A packed store that is missing, damaged, half-written or of another version."""


class LabelError(EcgVisionError):
    """An unknown label scheme, a contradiction between labels, or a hash that differs."""


class LayoutError(EcgVisionError):
    """An unknown layout, or a page on which the layout does not fit."""


class ImageError(EcgVisionError):
    """A file that is not a readable picture of a page."""


class BundleError(EcgVisionError):
    """A student bundle that is incomplete or altered."""


class DataError(EcgVisionError):
    """Data that cannot serve the run asked for: an empty split, no positives, and the like."""


class ConfigError(EcgVisionError):
    """A configuration value that makes no sense."""
