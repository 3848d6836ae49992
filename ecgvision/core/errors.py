"""Exception types of the project.

The module imports nothing slow, so that command lines respond at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class EcgVisionError(ValueError):
    """Base class of errors that the user can correct.

    The message states what is wrong, in which file, with which value, and what to do. Command lines
    print it on one line and exit with code 2.
    """

    def __init__(
        self, what: str, *, file: str | Path | None = None, value: Any = None, remedy: str = ""
    ) -> None:
        if "Original Traceback" in what:  # torch's message for an error in a loader worker
            what = what.rstrip().splitlines()[-1].split(": ", 1)[-1]
        self.what, self.file, self.value, self.remedy = what, file, value, remedy
        text = f"{file}: {what}" if file is not None else what
        if value is not None:
            text += f" (got {value!r})"
        if remedy:
            text += f". {remedy}"
        super().__init__(" ".join(text.split()))

    def __reduce__(self) -> tuple[Any, ...]:  # keeps keyword arguments across worker processes
        return (_rebuild, (type(self), self.what, self.file, self.value, self.remedy))


def _rebuild(
    kind: type[EcgVisionError], what: str, file: str | None, value: Any, remedy: str
) -> EcgVisionError:
    return kind(what, file=file, value=value, remedy=remedy)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `Did you mean ...?` with the nearest of the known words; empty if none is near."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {near[0]}?" if near else ""


@contextmanager
def about_setting(key: str) -> Iterator[None]:
    """Prefix errors raised within the block with a setting's key, such as `data.layouts`."""
    try:
        yield
    except EcgVisionError as error:
        raise type(error)(f"{key}: {error.what}", file=error.file, value=error.value,
                          remedy=error.remedy) from error  # fmt: skip


class RecordError(EcgVisionError):
    """A waveform record that cannot be read as a 12-lead ECG."""


class StoreError(EcgVisionError):
    """A packed store that is missing, damaged, incomplete or of another version."""


class LabelError(EcgVisionError):
    """An unknown label scheme, contradictory labels, or a hash that differs."""


class LayoutError(EcgVisionError):
    """An unknown layout, or a page that the layout does not fit."""


class ImageError(EcgVisionError):
    """A file that is not a readable image of a page."""


class FormatError(ImageError):
    """A file of a kind that is not read, or not read by what is installed."""


class LimitError(ImageError):
    """A file that is larger, has more pages, or takes longer than is allowed."""


class UnreadablePageError(ImageError):
    """An undamaged picture on which no ECG can be read."""


class BundleError(EcgVisionError):
    """A student bundle that is incomplete or altered."""


class DataError(EcgVisionError):
    """Data that cannot be used for the requested run: an empty split, no positives and so on."""


class ConfigError(EcgVisionError):
    """An invalid configuration value."""


class OutputError(ConfigError):
    """A file or folder that cannot be written, or that would take the place of something else."""
