"""Find records of the PhysioNet/CinC Challenges below a folder, and the database of each.

Database and record names are those of the Challenge 2021's training folder (PhysioNet,
challenge-2021). `cinc.py` lists them in a table.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from data_prep.chunks import state
from ecgvision.core.errors import DataError

_NAMES = {
    "cpsc_2018": r"A\d{4}",
    "cpsc_2018_extra": r"Q\d{4}",
    "st_petersburg_incart": r"I\d{4}",
    "ptb": r"S\d{4}",
    "ptb-xl": r"HR\d{5}",
    "georgia": r"E\d{5}",
    "chapman_shaoxing": r"JS(?:0\d{4}|10[0-5]\d\d|106[0-3]\d|1064[0-6])",
    "ningbo": r"JS\d{5}",
}
CHALLENGES = {
    "cinc2020": tuple(_NAMES)[:6],
    "cinc2021": tuple(_NAMES),
    "cpsc2018": ("cpsc_2018",),
}


@dataclass(frozen=True)
class Found:
    """A record on disk: its name, its database (None if no pattern matches) and its path stem."""

    name: str
    database: str | None
    file: Path


def database_of(name: str) -> str | None:
    """Return the database that a record's name belongs to, or None."""
    for database, pattern in _NAMES.items():
        if re.fullmatch(pattern, name):
            return database
    return None


def find_records(root: str | Path) -> list[Found]:
    """Return all records at any depth, sorted by database and name.

    Raises:
        DataError: if `root` is no folder, has no record, or has a record twice.
    """
    root = Path(root)
    remedy = "Give the Challenge's training folder, with folders such as georgia/g1 in it"
    if not root.is_dir():
        raise DataError("there is no such folder", file=root, remedy=remedy)
    stems = {
        Path(folder, file).with_suffix("")
        for folder, _, files in os.walk(root, followlinks=True)
        for file in files
        if file.endswith((".hea", ".mat"))
    }
    if not stems:
        raise DataError("there is no .hea or .mat file here", file=root, remedy=remedy)
    order = list(_NAMES)
    found = [Found(stem.name, database_of(stem.name), stem) for stem in stems]
    found.sort(key=lambda f: (order.index(f.database) if f.database else -1, f.name, f.file))
    for one, two in pairwise(found):
        if one.name == two.name:
            raise DataError(
                "a record stands in two folders",
                file=one.file,
                value=str(two.file),
                remedy="Give a folder that holds one copy of the Challenge",
            )
    return found


def fingerprint(root: str | Path) -> str:
    """Hash the folder's path and its record files (name, size, time) to 12 hex digits."""
    digest = hashlib.sha256(str(Path(root).resolve()).encode())
    for found in find_records(root):
        digest.update(f"\0{found.file}{state(found.file)}".encode())
    return digest.hexdigest()[:12]
