"""Picture paths of a command: expansion of folders and a progress counter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO, TypeVar

from ecgvision.core.errors import ImageError
from ecgvision.deploy.containers import SUFFIXES

Item = TypeVar("Item")


def expand(paths: Sequence[str]) -> list[str]:
    """Replace folders by the pictures in them (by suffix, sorted, not recursive).

    Raises:
        ImageError: for a folder without pictures.
    """
    files: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            files.append(path)
            continue
        inside = sorted(p for p in Path(path).iterdir() if p.suffix.lower() in SUFFIXES)
        if not inside:
            raise ImageError(
                "no pictures in the folder",
                file=path,
                remedy=f"Looked for {', '.join(SUFFIXES)}; name other files one by one",
            )
        files += [str(p) for p in inside]
    return files


def counted(items: Sequence[Item], stream: TextIO, *, least: int = 10) -> Iterator[Item]:
    """Yield items, with a counter on a terminal if there are more than `least`."""
    shown = len(items) > least and stream.isatty()
    for number, item in enumerate(items, 1):
        if shown:
            stream.write(f"\r{number}/{len(items)}")
            stream.flush()
        yield item
        if shown:
            stream.write("\r\x1b[K")  # clears the line
            stream.flush()
