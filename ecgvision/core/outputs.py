"""The files that a command writes: checked together before the work, written together after it."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ecgvision.core.atomic_io import atomic_files
from ecgvision.core.errors import OutputError

PathLike = str | os.PathLike[str]

RENAME = "Give it another name"
_SYSTEM = re.compile(r"/(dev|dev/fd|proc(/.*)?|sys(/.*)?)$")
"""Folders of devices and of processes, where no file is written."""

WRITABLE = "Name a file in a folder that exists and may be written"


class OutputPlan:
    """Files that a command will write.

    Args:
        inputs: files that the command reads; none of them is written.
        make_folders: create missing folders; otherwise a missing folder is refused.
    """

    def __init__(self, inputs: Iterable[PathLike] = (), *, make_folders: bool = False) -> None:
        self.make_folders = make_folders
        self._inputs = {key: os.fspath(path) for path in inputs for key in _keys(path)}
        self._outputs: dict[object, str] = {}
        self._folders: set[Path] = set()

    def add(self, option: str, path: PathLike) -> Path:
        """Check an output and keep it in mind.

        Args:
            option: the option that names it, for messages.
            path: the file.

        Raises:
            OutputError: if it is an input or another output, something other than a file stands
                there, or it cannot be written.
        """
        file = Path(path)
        keys = _keys(file)
        for key in keys:
            if key in self._inputs:
                raise OutputError(f"{option} would overwrite what is read", file=file,
                                  remedy=RENAME)  # fmt: skip
            if key in self._outputs:
                raise OutputError(f"{option} and {self._outputs[key]} name the same file",
                                  file=file, remedy=RENAME)  # fmt: skip
        try:
            mode = file.stat().st_mode
        except FileNotFoundError:
            mode = None
        except OSError as error:
            raise _unwritable(option, file, error) from error
        if mode is not None and not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise OutputError(f"{option} names {what}", file=file, remedy="Name a file")
        if _SYSTEM.match(os.path.realpath(file.parent)):
            raise OutputError(f"{option} names no regular file", file=file, remedy="Name a file")
        self._check_folder(option, file)
        self._outputs |= dict.fromkeys(keys, option)
        return file

    def _check_folder(self, option: str, file: Path) -> None:
        """Refuse a file in a folder that is missing or cannot be written."""
        folder = file.parent
        try:
            if not self.make_folders and not folder.is_dir():
                what = "is a file" if folder.exists() else "is missing"
                raise OutputError(f"{option}: the folder {what}", file=file, remedy=WRITABLE)
            while not folder.exists():
                folder = folder.parent
            if folder not in self._folders:
                with tempfile.TemporaryFile(dir=folder):
                    self._folders.add(folder)
            if len(os.fsencode(file.name)) > 255:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        except OSError as error:
            raise _unwritable(option, file, error) from error

    def write(self, contents: Mapping[Path, bytes]) -> None:
        """Write all files or none.

        Args:
            contents: by path; a file of several parts is whole once its last path is there.

        Raises:
            OutputError: if one cannot be written; none has changed then.
        """
        try:
            atomic_files(contents)
        except OSError as error:
            file = Path(error.filename) if error.filename else next(iter(contents))
            raise _unwritable("the output", file, error) from error


def check_replaceable(folder: PathLike, marker: str, kind: str) -> None:
    """Check that a folder may be replaced: it is missing, empty, or holds what it should.

    Args:
        folder: the folder.
        marker: a file that every folder of the kind has.
        kind: what the folder is to be, for the message.

    Raises:
        OutputError: if something else stands there.
    """
    path = Path(folder)
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_dir():
        raise OutputError(f"a file stands where {kind} is to be written", file=path,
                          remedy="Name another folder")  # fmt: skip
    if not (path / marker).is_file() and any(path.iterdir()):
        raise OutputError(f"the folder holds something else than {kind} and is not replaced",
                          file=path, remedy="Name another folder, or empty it")  # fmt: skip


def check_outside(folder: PathLike, inputs: Iterable[PathLike]) -> None:
    """Check that no input lies in a folder that is to be replaced.

    Raises:
        OutputError: naming the input.
    """
    target = os.path.realpath(folder)
    for given in inputs:
        if os.path.commonpath([target, os.path.realpath(given)]) == target:
            raise OutputError("the folder to write holds what is read", file=Path(folder),
                              value=os.fspath(given),
                              remedy="Name another folder")  # fmt: skip


def _keys(path: PathLike) -> list[object]:
    """Return what two names of one file have in common: its real path, and its identity."""
    keys: list[object] = [os.path.realpath(path)]
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return keys
    return [*keys, (found.st_dev, found.st_ino)]


def _unwritable(option: str, file: Path, error: OSError) -> OutputError:
    return OutputError(f"{option}: cannot write: {error.strerror or error}", file=file,
                       remedy=WRITABLE)  # fmt: skip
