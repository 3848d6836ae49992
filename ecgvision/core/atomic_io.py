"""Atomic writing of files and folders: they appear complete or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

MAX_NAME = 255
"""Largest number of bytes of a file's name in all common file systems."""

_UNFINISHED = re.compile(r"\..+\.[a-z0-9_]{8}(\.old)?")
"""Names of the temporary files and folders of `tempfile` and `put_in_place`."""


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file to write to; it replaces `path` when the block ends normally.

    If the block raises, the previous file at `path` is kept.
    """
    path = Path(path)
    with _beside(path) as part:
        yield part
        os.replace(part, path)


def atomic_files(contents: Mapping[Path, bytes]) -> None:
    """Write several files: all of them, or none.

    If the process is killed between two of them, the previous files stand beside them under hidden
    names that end in `.old`.

    Args:
        contents: by path, in the order in which the files appear.
    """
    with ExitStack() as stack:
        parts = {path: stack.enter_context(_beside(path)) for path in contents}
        for path, part in parts.items():
            part.write_bytes(contents[path])
        kept: list[tuple[Path, Path]] = []
        done: list[Path] = []
        try:
            for path in parts:
                if path.exists() or path.is_symlink():
                    old = _hidden(path, f"{uuid.uuid4().hex[:8]}.old")
                    os.replace(path, old)
                    kept.append((old, path))
            for path, part in parts.items():
                os.replace(part, path)
                done.append(path)
        except BaseException:
            for path in done:
                path.unlink(missing_ok=True)
            for old, path in kept:
                os.replace(old, path)
            raise
        for old, _ in kept:
            old.unlink()


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a temporary file in the folder of `path`, which is created, and remove it at the end.

    Raises:
        OSError: if something other than a file stands at `path`, such as a device.
    """
    if path.exists() and not path.is_file():
        number = errno.EISDIR if path.is_dir() else errno.EINVAL
        raise OSError(number, "not a regular file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    if len(os.fsencode(path.name)) > MAX_NAME:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_hidden(path, "").name)
    os.close(handle)
    try:
        os.chmod(name, 0o666 & ~_umask())  # mkstemp creates files that others cannot read (0600)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _hidden(path: Path, ending: str) -> Path:
    """Return a hidden name beside `path`; a long name is cut, so that the ending has room."""
    name = os.fsdecode(os.fsencode(path.name)[: MAX_NAME - 30])
    return path.with_name(f".{name}.{ending}")


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; it replaces `path` when the block ends normally.

    The previous folder at `path` is removed only after that has succeeded. If the block raises, it
    is kept.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=_hidden(path, "").name))
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
        old = _hidden(target, f"{uuid.uuid4().hex[:8]}.old")
        os.replace(target, old)
    try:
        os.replace(folder, target)
    except OSError:
        if old is not None:
            os.replace(old, target)
        raise
    if old is not None and (old.is_symlink() or not old.is_dir()):
        old.unlink()
    elif old is not None:
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
        # a file name that is no text is an escape in JSON, too
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found
