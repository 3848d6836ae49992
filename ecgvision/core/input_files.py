"""Opening of the files that a user names: regular files only, and none above a stated size.

A pipe would block, a device never ends, and a file of the wrong kind may not fit in memory. All
errors are OSErrors, which name the file. Standard library only.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from io import BufferedReader
from typing import Any

PathLike = str | os.PathLike[str]

MEGABYTE = 1_000_000
TEXT = 64 * MEGABYTE
"""Largest configuration, card, manifest of a folder, header or metrics.json (our default)."""
RECORD = 4000 * MEGABYTE
"""Largest signal file or CSV of one record (our default: 24 hours of 12 leads at 1000 Hz are 2.1 GB
of WFDB)."""
RECORD_IN_MEMORY = 512 * MEGABYTE
"""Largest DICOM waveform (our default; it is held in memory)."""
TABLE = 4000 * MEGABYTE
"""Largest table of records or predictions (our default)."""
MODEL = 2000 * MEGABYTE
"""Largest model of a bundle (protobuf's own limit)."""


def open_input(path: PathLike, *, limit: int | None = None) -> BufferedReader:
    """Open a regular file for reading, without waiting for the other end of a pipe.

    Args:
        path: the file.
        limit: largest size in bytes; None: any.

    Raises:
        OSError: if it cannot be opened, is no regular file, or is larger than the limit.
    """
    # without O_NONBLOCK, opening a pipe waits for its writer; on a regular file it has no effect
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(number)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", os.fspath(path))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        if limit is not None and found.st_size > limit:
            raise _too_large(path, limit)
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def check_input(path: PathLike, *, limit: int | None = None) -> None:
    """Check a file that another library opens by its name; see `open_input`.

    Raises:
        OSError: see `open_input`.
    """
    open_input(path, limit=limit).close()


def read_bytes(path: PathLike, *, limit: int) -> bytes:
    """Return the content of a file; see `open_input`.

    Raises:
        OSError: see `open_input`; also for a file that grows beyond the limit while it is read.
    """
    with open_input(path, limit=limit) as stream:
        stated = os.fstat(stream.fileno()).st_size
        data = stream.read(stated + 1)  # as much memory is set aside as is asked for
        if len(data) > stated:  # it grows, or states no size, as the files of /proc
            data += stream.read(limit + 1 - len(data))
    if len(data) > limit:
        raise _too_large(path, limit)
    return data


def read_text(path: PathLike, *, limit: int = TEXT, errors: str = "strict") -> str:
    """Return the content of a UTF-8 text file with its line ends as \\n; see `read_bytes`.

    Raises:
        OSError: see `read_bytes`.
        UnicodeDecodeError: if it is not UTF-8 and `errors` is "strict".
    """
    text = read_bytes(path, limit=limit).decode("utf-8", errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: PathLike, *, limit: int = TEXT, strict: bool = False) -> Any:
    """Return the content of a JSON file; see `read_text`.

    Args:
        strict: refuse NaN, infinite numbers and whole numbers beyond 64 bits.

    Raises:
        OSError: see `read_bytes`.
        ValueError: if it is not JSON in UTF-8, is nested too deeply, or holds a refused number.
    """
    text = read_text(path, limit=limit)
    kinds: dict[str, Any] = {}
    if strict:
        kinds = {"parse_constant": _no_number, "parse_float": _finite, "parse_int": _whole}
    try:
        return json.loads(text, **kinds)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _whole(text: str) -> int:
    if len(text) > 18:
        raise ValueError(f"{text[:18]}… is too large a number")
    return int(text)


def _too_large(path: PathLike, limit: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {limit:,} bytes", os.fspath(path))
