"""Pack the PhysioNet/CinC Challenges 2020 and 2021 and CPSC 2018 as stores.

ROOT is the Challenge's `training` folder as published on PhysioNet, or any folder above or below
it. Records are found at any depth. A record's name determines its database:

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

`record_id` is `<database>/<name>` in the store of every challenge, so that a recording in two
stores of one run is detected. `site` is the database. All diagnoses are kept, as SNOMED CT codes.
The label schemes cinc2020, cinc2021 and cpsc2018 read them from any of these stores. A header
without diagnoses gives a record with unknown labels, not one without findings.

Ages are kept as stated (PTB-XL's 300 means "over 89").

The databases name no patients, so each record counts as a separate patient. PTB, PTB-XL and the
St Petersburg set nevertheless have several records of some people. Where that matters, leave these
databases out, or give PTB-XL's table (its ecg_id is the number in HR00001): PTB-XL's records then
have its patients and official folds. Duplicate recordings under different names (the same first
samples and checksums of all leads in their headers) are one patient in one fold.

All other folds are stratified within each database by the challenge's own classes. They depend on
the records found, so a partial download has other folds than the complete one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from data_prep.chunks import OnError, Reading, pack_items
from data_prep.cinc_files import CHALLENGES, Found, find_records
from data_prep.cinc_folds import stratified_folds
from data_prep.cinc_header import About, check_mat, read_about
from data_prep.contents import Item
from data_prep.tables import identifier, read_table, whole_number
from ecgvision.core.errors import DataError, RecordError
from ecgvision.labels.schemes import CODE_COLUMN, get_scheme

RATE = 500.0
"""Hz, the rate of all but 590 of the 88,253 public records (PTB has 1000 Hz, St Petersburg 257)."""


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
    trim: bool = False,
) -> Path:
    """Pack a Challenge's public training records.

    Args:
        root: the folder.
        out: folder of the store.
        challenge: "cinc2020", "cinc2021" or "cpsc2018"; determines the databases, and the classes
            by which folds are stratified.
        rate: Hz of the store; records of other rates are resampled.
        ptbxl: `ptbxl_database.csv`, for the patients and folds of PTB-XL's records.
        jobs: worker processes.
        on_error: "skip" reports each unreadable record with its reason (the default, as the
            published sets have damaged records); "stop" raises at the first.
        progress: show progress bars and the report.
        overwrite: replace an existing store.
        trim: cut padding and calibration pulses off the ends of records.

    Raises:
        DataError: for an unknown challenge, a folder without its records, a rate that is not
            positive, or a table that is not PTB-XL's or names none of the records.
        RecordError: for a record that cannot be read, if `on_error="stop"`.
        StoreError: if `out` exists and `overwrite` is not set.
    """
    if challenge not in CHALLENGES:
        raise DataError(
            "unknown challenge", value=challenge, remedy=f"Known: {', '.join(CHALLENGES)}"
        )
    if not (np.isfinite(rate) and rate > 0):
        raise DataError("the rate must be a positive number of Hz", value=rate)
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
    patients = None if ptbxl is None else _ptbxl_patients(Path(ptbxl), wanted)
    read: list[tuple[Found, About]] = []
    refused: list[tuple[str, str]] = []
    for found in tqdm(wanted, desc="headers", disable=not progress):
        try:
            about = read_about(found.file.with_name(found.name + ".hea"))
            check_mat(found.file.with_name(found.name + ".mat"))
            if patients is not None and found.database == "ptb-xl" and found.name not in patients:
                raise RecordError(
                    "PTB-XL's table does not know the record, so its patient may be in two folds",
                    file=found.file,
                    remedy="Later versions of PTB-XL left it out; 1.0.1 has it",
                )
            read.append((found, about))
        except RecordError as error:
            if on_error == "stop":
                raise
            refused.append((f"{found.database}/{found.name}", str(error)))
    facts = _facts(read, others, patients is not None)
    if progress:
        print(f"{challenge}: " + "; ".join(f"{k} {v}" for k, v in facts.items() if v), flush=True)
    return pack_items(
        _items(read, patients or {}, challenge),
        out,
        Reading(float(rate), resample=True, on_error=on_error, published=True, trim=trim),
        source=challenge,
        jobs=jobs,
        progress=progress,
        overwrite=overwrite,
        refused=refused,
        facts={"root": str(Path(root).resolve()), **facts},
    )


def _facts(
    read: Sequence[tuple[Found, About]], others: Mapping[str | None, int], table: bool
) -> dict[str, Any]:
    """Summarise the source for the quality report."""
    return {
        "databases": dict(Counter(found.database for found, _ in read)),
        "left_out": {database or "unknown names": n for database, n in others.items()},
        "without_diagnoses": sum(about.codes is None for _, about in read),
        "duplicates": [names for names in _copies(read).values() if len(names) > 1],
        "not_understood": dict(Counter(text for _, about in read for text in about.unread)),
        "patients": "PTB-XL's by its table, else each record its own"
        if table
        else "not named, so each record its own",
    }


def _copies(read: Sequence[tuple[Found, About]]) -> dict[str, list[str]]:
    """Map each signature (or name, without one) to the names of the records that have it."""
    copies: dict[str, list[str]] = {}
    for found, about in read:
        copies.setdefault(about.signature or found.name, []).append(found.name)
    return copies


def _ptbxl_patients(file: Path, wanted: Sequence[Found]) -> dict[str, tuple[str | None, int]]:
    """Map each record name to its patient and official fold.

    Raises:
        DataError: for a row without ecg_id or fold, or a table that names none of the records.
    """
    patients = {}
    table = read_table(file, ("ecg_id", "patient_id", "strat_fold"))
    for position, row in enumerate(table.to_dict("records"), 1):
        where = f"{file}, row {position}"
        ecg_id = whole_number(row["ecg_id"], where, "ecg_id")
        fold = whole_number(row["strat_fold"], where, "strat_fold", most=10)
        if ecg_id is None or fold is None:
            raise DataError("ecg_id and fold (1-10) are needed", file=where, value=(ecg_id, fold))
        patients[f"HR{ecg_id:05d}"] = (identifier(row["patient_id"]), fold)
    if not any(found.name in patients for found in wanted):
        raise DataError(
            "the table of PTB-XL names no record that is here",
            file=file,
            remedy="Give ptbxl_database.csv together with the records of ptb-xl, or leave it out",
        )
    return patients


def _items(
    read: Sequence[tuple[Found, About]],
    patients: Mapping[str, tuple[str | None, int]],
    challenge: str,
) -> list[Item]:
    scheme = get_scheme(challenge)
    items = []
    # The first name of a recording represents all its copies. Copies in two databases get the fold
    # of the first database.
    first = {name: names[0] for names in _copies(read).values() for name in names}
    many = {name for names in _copies(read).values() if len(names) > 1 for name in names}
    placed: dict[str, int] = {}
    for database in CHALLENGES[challenge]:
        rows = [(found, about) for found, about in read if found.database == database]
        if not rows:
            continue
        if database == "ptb-xl" and patients:
            items += [_item(found, about, *patients[found.name]) for found, about in rows]
            continue
        targets = np.stack([scheme.encode(about.codes or ()) for _, about in rows])
        folds = stratified_folds(targets, [first[found.name] for found, _ in rows])
        for (found, about), fold in zip(rows, folds, strict=True):
            stands_for = first[found.name]
            patient = f"recording:{stands_for}" if found.name in many else None
            items.append(_item(found, about, patient, placed.setdefault(stands_for, int(fold))))
    return items


def _item(found: Found, about: About, patient: str | None, fold: int) -> Item:
    columns: dict[str, Any] = {
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
    return Item(f"{found.database}/{found.name}", found.file, columns)
