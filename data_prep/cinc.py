"""The PhysioNet/CinC Challenges 2020 and 2021 and CPSC 2018 as packed stores.

ROOT is the Challenge's `training` folder as PhysioNet gives it, or any folder above or below it.
Every `.hea` and `.mat` at any depth counts; a record's name says which database it is from:

| database | names | challenges |
|---|---|---|
| cpsc_2018 | A0001 … | cinc2020, cinc2021, cpsc2018 |
| cpsc_2018_extra | Q0001 … | cinc2020, cinc2021 |
| st_petersburg_incart | I0001 … | cinc2020, cinc2021 |
| ptb | S0001 … | cinc2020, cinc2021 |
| ptb-xl | HR00001 … | cinc2020, cinc2021 |
| georgia | E00001 … | cinc2020, cinc2021 |
| chapman_shaoxing | JS00001 to JS10646 | cinc2021 |
| ningbo | JS10647 … | cinc2021 |

`record_id` is `<database>/<name>` in every challenge's store, so that a recording which stands in
two stores of one run is noticed, and `site` is the database. Diagnoses are kept whole, as SNOMED CT
codes; the label schemes cinc2020, cinc2021 and cpsc2018 read them, whichever store they stand in. A
header without diagnoses makes a record whose labels are unknown, not one without findings.

Ages are kept as stated (PTB-XL's 300 means "over 89"). The databases name no patients, so each
record counts as a patient of its own, although PTB, PTB-XL and the St Petersburg set hold several
records of some people: where that matters, leave those databases out, or name PTB-XL's table, whose
ecg_id is the number in HR00001. PTB-XL's records then carry its patients and its official folds.
All other folds are stratified within each database by the challenge's own classes; they are those
of the records found, so a partial download has other folds than the whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from data_prep.chunks import Item, OnError, Reading, pack_items
from data_prep.cinc_folds import stratified_folds
from data_prep.cinc_header import About, check_mat, read_about
from data_prep.tables import identifier, number, read_table
from ecgvision.ecg import DataError, RecordError
from ecgvision.labels import CODE_COLUMN, get_scheme

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
RATE = 500.0
"""Hz: the rate of all but 590 of the 88,253 public records (PTB has 1000 Hz, St Petersburg 257)."""


@dataclass(frozen=True)
class Found:
    """A record on disk: its name, its database (None where the name is none's), its path stem."""

    name: str
    database: str | None
    file: Path


def database_of(name: str) -> str | None:
    """The database whose records are named so, or None."""
    for database, pattern in _NAMES.items():
        if re.fullmatch(pattern, name):
            return database
    return None


def find_records(root: str | Path) -> list[Found]:
    """All records at any depth, by database and name.

    Raises:
        DataError: if `root` is no folder, holds no record, or holds a record twice.
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
    """12 hex digits over where the folder is and its records' names and sizes."""
    digest = hashlib.sha256(str(Path(root).resolve()).encode())
    for found in find_records(root):
        digest.update(f"\0{found.file}".encode())
        for suffix in (".hea", ".mat"):
            try:
                digest.update(f" {os.stat(f'{found.file}{suffix}').st_size}".encode())
            except OSError:
                digest.update(b" -")
    return digest.hexdigest()[:12]


def pack_cinc(
    root: str | Path,
    out: str | Path,
    *,
    challenge: str = "cinc2020",
    rate: float = RATE,
    ptbxl: str | Path | None = None,
    jobs: int = 2,
    on_error: OnError = "skip",
    progress: bool = True,
    overwrite: bool = False,
) -> Path:
    """Pack a Challenge's public training records.

    Args:
        root: the folder.
        out: the store to make.
        challenge: "cinc2020", "cinc2021" or "cpsc2018": which databases, and which classes the
            folds are stratified by.
        rate: Hz of the store; records of other rates are resampled.
        ptbxl: `ptbxl_database.csv`, for the patients and folds of PTB-XL's records.
        on_error: "skip" (as the published sets hold damaged records) reports each with its reason.

    Raises:
        DataError: if the folder holds none of the challenge's records, or the table is not that of
            PTB-XL.
        RecordError: for a record that cannot be read, under `on_error="stop"`.
        StoreError: if `out` stands already.
    """
    if challenge not in CHALLENGES:
        raise DataError(
            "unknown challenge", value=challenge, remedy=f"Known: {', '.join(CHALLENGES)}"
        )
    everything = find_records(root)
    wanted = [f for f in everything if f.database in CHALLENGES[challenge]]
    others = Counter(f.database for f in everything if f.database not in CHALLENGES[challenge])
    if not wanted:
        raise DataError(
            f"there is no record of {challenge} here",
            file=root,
            value=[f.name for f in everything[:3]],
            remedy=f"Its databases: {', '.join(CHALLENGES[challenge])}",
        )
    patients = {} if ptbxl is None else _ptbxl_patients(Path(ptbxl))
    read: list[tuple[Found, About]] = []
    refused: list[tuple[str, str]] = []
    for found in tqdm(wanted, desc="headers", disable=not progress):
        try:
            about = read_about(found.file.with_name(found.name + ".hea"))
            check_mat(found.file.with_name(found.name + ".mat"))
            read.append((found, about))
        except RecordError as error:
            if on_error == "stop":
                raise
            refused.append((f"{found.database}/{found.name}", str(error)))
    items = _items(read, patients, challenge)
    return pack_items(
        items,
        out,
        Reading(float(rate), resample=True, on_error=on_error),
        source=challenge,
        jobs=jobs,
        progress=progress,
        overwrite=overwrite,
        refused=refused,
        facts={
            "root": str(Path(root).resolve()),
            "databases": dict(Counter(f.database for f, _ in read)),
            "left_out": {database or "unknown names": n for database, n in others.items()},
            "without_diagnoses": sum(about.codes is None for _, about in read),
            "not_understood": dict(Counter(text for _, about in read for text in about.unread)),
            "patients": "each record its own"
            + (", but those of PTB-XL by its table" if patients else ""),
        },
    )


def _ptbxl_patients(file: Path) -> dict[str, tuple[str | None, int]]:
    """Record name -> patient and official fold."""
    patients = {}
    for row in read_table(file, ("ecg_id", "patient_id", "strat_fold")).to_dict("records"):
        where = f"{file}, ecg_id {row['ecg_id']}"
        ecg_id, fold = number(row["ecg_id"], where), number(row["strat_fold"], where)
        if ecg_id is None or fold is None or not 1 <= fold <= 10:
            raise DataError("ecg_id and fold (1-10) are needed", file=where, value=fold)
        patients[f"HR{int(ecg_id):05d}"] = (identifier(row["patient_id"]), int(fold))
    return patients


def _items(
    read: Sequence[tuple[Found, About]],
    patients: dict[str, tuple[str | None, int]],
    challenge: str,
) -> list[Item]:
    scheme = get_scheme(challenge)
    items = []
    for database in CHALLENGES[challenge]:
        rows = [(found, about) for found, about in read if found.database == database]
        known = {
            f.name: patients[f.name] for f, _ in rows if f.name in patients and database == "ptb-xl"
        }
        if known and (absent := [f.name for f, _ in rows if f.name not in known]):
            raise DataError(
                "PTB-XL's table lacks records, so their patients could stand in two folds",
                file=database,
                value=absent[:3],
                remedy="Give the ptbxl_database.csv of PTB-XL 1.0.1, from which they were taken",
            )
        if known:
            folds = np.array([known[f.name][1] for f, _ in rows])
        elif rows:
            targets = np.stack([scheme.encode(about.codes or ()) for _, about in rows])
            folds = stratified_folds(targets, [found.name for found, _ in rows])
        items += [
            _item(found, about, known.get(found.name, (None, 0))[0], int(fold))
            for (found, about), fold in zip(rows, folds if rows else (), strict=True)
        ]
    return items


def _item(found: Found, about: About, patient: str | None, fold: int) -> Item:
    told: dict[str, Any] = {
        "patient_id": patient,
        "fold": fold,
        "scp_codes": None,
        "age": about.age,
        "sex": about.sex,
        "site": found.database,
        "metadata": {
            CODE_COLUMN["snomed"]: None if about.codes is None else json.dumps(list(about.codes))
        },
    }
    return Item(f"{found.database}/{found.name}", found.file, told)
