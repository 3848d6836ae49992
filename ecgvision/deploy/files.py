"""Picture paths of a command: expansion of folders, what they hold besides, and progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO, TypeVar

from ecgvision.core.errors import ImageError
from ecgvision.deploy.documents import SUFFIXES

Item = TypeVar("Item")

PAUSE = 5.0
"""Seconds between two lines of progress where there is no terminal (our default)."""

SHOWN = 5
"""Number of skipped files that are named on the terminal (our default); JSON names all."""


class Pictures(NamedTuple):
    """The pictures that paths stand for, and the other files of the folders among them."""

    files: list[str]
    skipped: list[str]


def expand(paths: Sequence[str]) -> Pictures:
    """Replace folders by the pictures in them (by suffix, sorted, not recursive).

    Hidden files and folders in a folder are passed over without a word.

    Raises:
        ImageError: for a folder without pictures, or one that cannot be read.
    """
    files: list[str] = []
    skipped: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            files.append(path)
            continue
        try:
            found = sorted(p for p in Path(path).iterdir() if not p.is_dir())
        except OSError as error:
            raise ImageError("the folder cannot be read", file=path, value=error.strerror,
                             remedy="Check the permissions") from error  # fmt: skip
        seen = [p for p in found if not p.name.startswith(".")]
        inside = [p for p in seen if p.suffix.lower() in SUFFIXES]
        others = [str(p) for p in seen if p.suffix.lower() not in SUFFIXES]
        if not inside:
            raise ImageError(
                "no pictures in the folder",
                file=path,
                value=", ".join(Path(name).name for name in others[:SHOWN]) or None,
                remedy=f"Looked for {', '.join(SUFFIXES)}; name other files one by one",
            )
        files += [str(p) for p in inside]
        skipped += others
    return Pictures(files, skipped)


def tell_skipped(found: Pictures, stream: TextIO) -> None:
    """Name the files of folders that are not read."""
    if not found.skipped:
        return
    more = len(found.skipped) - SHOWN
    named = ", ".join(found.skipped[:SHOWN]) + (f" and {more} more" if more > 0 else "")
    print(f"skipped, by their names no pictures that are read: {named}", file=stream)


def counted(
    items: Sequence[Item],
    stream: TextIO,
    *,
    least: int = 10,
    name: Callable[[Item], str] | None = None,
) -> Iterator[Item]:
    """Yield items, with a counter if there are more than `least`.

    On a terminal the counter stays on one line. Elsewhere it is a line for the first item, for the
    last, and every few seconds, if items have names.

    Args:
        items: what to yield.
        stream: where to print.
        least: so many items or fewer have no counter.
        name: of an item, for lines where there is no terminal; None: no such lines.
    """
    many, terminal, told = len(items) > least, stream.isatty(), -PAUSE
    for number, item in enumerate(items, 1):
        if many and terminal:
            stream.write(f"\r{number} of {len(items)}")
            stream.flush()
        elif many and name is not None:
            now = time.monotonic()
            if number in (1, len(items)) or now - told >= PAUSE:
                print(f"{number} of {len(items)}: {name(item)}", file=stream, flush=True)
                told = now
        yield item
        if many and terminal:
            stream.write("\r\x1b[K")  # clears the line
            stream.flush()
