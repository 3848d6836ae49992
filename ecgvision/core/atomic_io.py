"""Atomic writing of files and folders: they appear complete or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_UNFINISHED = re.compile(r"\..+\.[a-z0-9_]{8}(\.old)?")
"""Names of the temporary files and folders of `tempfile` and `put_in_place`."""


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file to write to; it replaces `path` when the block ends normally.

    If the block raises, the previous file at `path` is kept.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp creates files that others cannot read (0600)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; it replaces `path` when the block ends normally.

    The previous folder at `path` is removed only after that has succeeded. If the block raises, it
    is kept.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        folder.chmod(0o777 & ~_umask())  # mkdtemp's 0700 is private too
        yield folder
        put_in_place(folder, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_in_place(folder: Path, target: Path) -> None:
    """Rename a finished folder to its target, then remove the target's previous content."""
    old = None
    if target.exists():
        old = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
        os.replace(target, old)
    try:
        os.replace(folder, target)
    except OSError:
        if old is not None:
            os.replace(old, target)
        raise
    if old is not None:
        shutil.rmtree(old)


def remove_unfinished(folder: Path) -> None:
    """Delete what `atomic_file` and `atomic_folder` left in a folder when their process was killed.

    Use it only for a folder that no other process writes to.
    """
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_json(path: str | Path, value: Any) -> None:
    """Write an indented JSON file in UTF-8, atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found
