"""The list of a database's files with their checksums."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import quote

from data_prep.download.http import Http
from ecgvision.core.errors import DataError

SUMS = "SHA256SUMS.txt"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
_MD5 = re.compile(r"md5:([0-9a-f]{32})")


class Remote(NamedTuple):
    """A file to fetch: its path below the database's folder, its address, and its checksum."""

    path: str
    url: str
    algorithm: str
    digest: str


def physionet(http: Http, base: str) -> list[Remote]:
    """Return the files of a folder with a `SHA256SUMS.txt`, which itself is not among them.

    Raises:
        DataError: if the list cannot be had, or is none.
    """
    base = base.rstrip("/") + "/"
    text = http.text(base + SUMS)
    files = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise DataError(f"line {number} of the list of checksums is none", file=base + SUMS,
                            value=line[:80], remedy=_PROXY)  # fmt: skip
        path = _safe(match[2], base + SUMS)
        files.append(Remote(path, base + quote(path), "sha256", match[1].lower()))
    if not files:
        raise DataError("the list of checksums is empty", file=base + SUMS, remedy=_PROXY)
    return files


def zenodo(http: Http, record: str) -> list[Remote]:
    """Return the files of a Zenodo record, by its JSON.

    Raises:
        DataError: if the record cannot be had, or is none.
    """
    text = http.text(record)
    try:
        found = [Remote(_safe(item["key"], record), item["links"]["self"], "md5",
                        _MD5.fullmatch(item["checksum"])[1])  # type: ignore[index]
                 for item in json.loads(text)["files"]]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError("this is no record with a list of files", file=record, value=text[:80],
                        remedy=_PROXY) from error  # fmt: skip
    if not found:
        raise DataError("the record lists no file", file=record)
    return found


_PROXY = "Is the address right, and does a proxy answer in its place?"


def _safe(path: str, file: str) -> str:
    """Return a path that stays below the folder that it is written to."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path or not pure.parts:
        raise DataError("the list names a file outside of the database", file=file, value=path)
    return str(pure)
