"""Pack your own records, in any format that `ecgvision.records.reading` reads, listed in a CSV.

| column | meaning |
|---|---|
| `record` | path of the record, relative to the CSV (needed): WFDB, CSV or npy |
| `fold` or `split` | 1-10; or train, val, test, which become folds 1, 9 and 10 |
| label columns | every other column that holds only 0, 1 or nothing, or those named by `labels` |
| `scp_codes` | `{'NORM': 100.0, 'SR': 0.0}` or `['NORM', 'SR']`; empty where unknown |
| `patient_id`, `age`, `sex`, `device`, `site` | optional; sex is male, female, m, f or empty |
| `rate`, `unit`, `orientation` | what the record's file leaves out; see below |
| anything else | kept in the store under its own name |

A CSV record has a row of lead names, in any order, and values in mV; its rate follows from a
column `time`. An npy record is an array (12, T) in mV, its rows I II III aVR aVL aVF V1 to V6.
`rate` (Hz), `unit` (mV, uV, V, nV, 1e-4V) and `orientation` (leads-first, or time-first for
(T, 12)) state what a record's file does not.

Label columns or `scp_codes` are required. If a record has both class columns and SCP codes, they
must agree (see `ecgvision.labels.schemes.targets`). A record with an empty `patient_id` counts as a
separate patient.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.chunks import NAMES, OnError, Reading, pack_items, state
from data_prep.contents import Item
from data_prep.tables import UNNAMED, identifier, number, parse_scp, read_table, text, whole_number
from ecgvision.core.errors import DataError, RecordError
from ecgvision.core.input_files import TABLE, read_bytes
from ecgvision.labels.schemes import SCHEMES, targets
from ecgvision.records.csv_format import SUFFIXES as TABLES
from ecgvision.records.npy_format import ORIENTATIONS
from ecgvision.records.option_names import OptionNames
from ecgvision.records.other_formats import WFDB_SUFFIXES
from ecgvision.records.recording import record_identity
from ecgvision.records.units import millivolts

if TYPE_CHECKING:
    import pandas as pd

SPLITS = {"train": 1, "val": 9, "valid": 9, "validation": 9, "test": 10}
SEXES = {"male": "male", "m": "male", "female": "female", "f": "female"}
_KNOWN = {"record", "fold", "split", "scp_codes", "patient_id", "age", "sex", "device", "site",
          "rate", "unit", "orientation"}  # fmt: skip
_RESERVED = {"record_id", "offset", "length", "scale", "flags"}


def pack_manifest(
    file: str | Path,
    out: str | Path,
    *,
    rate: float | None = None,
    unstated_rate: float | None = None,
    unit: str | None = None,
    orientation: str | None = None,
    labels: Sequence[str] | None = None,
    name: str | None = None,
    jobs: int = 2,
    on_error: OnError = "stop",
    progress: bool = True,
    overwrite: bool = False,
    trim: bool = False,
    names: OptionNames = NAMES,
    resampling: str = "--rate",
) -> Path:
    """Pack the records of a manifest; `record_id` is `<name>/<stem of the record's path>`.

    If stems are not unique, the full relative path is used instead.

    Args:
        file: the CSV.
        out: folder of the store.
        rate: Hz of the store; records of other rates are resampled. Without it all records must
            have the rate of the first.
        unstated_rate: Hz of npy and CSV records that do not state theirs; without it they are
            refused.
        unit: of records that do not state theirs, such as "uV"; without it they are mV.
        orientation: "time-first" for npy records of shape (T, 12).
        labels: label columns; default: every column of 0 and 1 that has no other meaning.
        name: name of the source; default: that of the CSV's folder.
        jobs: worker processes.
        on_error: "stop" at a record that cannot be read, or "skip" and report it.
        progress: show progress bars and the report.
        overwrite: replace an existing store.
        trim: cut padding and calibration pulses off the ends of records.
        names, resampling: how the caller states what records leave out, and asks for resampling,
            for messages.

    Raises:
        DataError: for a manifest that contradicts itself or lacks required columns.
        LabelError: if a record's label columns contradict its SCP codes.
        RecordError: for a record that cannot be read, unless `on_error="skip"`.
        StoreError: if `out` exists and `overwrite` is not set.
    """
    file = Path(file)
    table = read_table(file, ["record"])
    if taken := sorted(_RESERVED & set(table.columns)):
        raise DataError(
            "the store uses these column names itself", file=file, value=taken, remedy="Rename them"
        )
    columns = _label_columns(table, labels, file)
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        raise DataError("the store's rate must be a positive number of Hz", value=rate)
    if unit is not None:
        millivolts(unit)
    items = _items(table, columns, file, name or file.resolve().parent.name)
    _check_agreement(items, columns)
    reading = Reading(
        0.0 if rate is None else rate, resample=rate is not None, on_error=on_error,
        unstated_rate=unstated_rate, unit=unit, orientation=orientation, trim=trim, names=names,
        resampling=resampling,
    )  # fmt: skip
    if rate is None:
        reading = replace(reading, rate=_first_rate(items, file, reading))
    return pack_items(
        items,
        out,
        reading,
        source=name or file.resolve().parent.name,
        label_columns=columns,
        jobs=jobs,
        progress=progress,
        overwrite=overwrite,
        facts={"manifest": str(file.resolve()), "label_columns": columns},
    )


def fingerprint(file: str | Path) -> str:
    """Hash the manifest's path and contents, and the size and time of its files, to 12 hex digits.

    Raises:
        DataError: if the manifest cannot be read or has no column `record`.
    """
    file = Path(file)
    digest = hashlib.sha256(f"{file.resolve()}".encode() + read_bytes(file, limit=TABLE))
    for cell in read_table(file, ["record"])["record"]:
        digest.update(state(file.parent / str(cell)).encode())
    return digest.hexdigest()[:12]


def _label_columns(table: pd.DataFrame, labels: Sequence[str] | None, file: Path) -> list[str]:
    """Return the label columns, in the manifest's order unless `labels` names them.

    The label scheme `columns` keeps this order.

    Raises:
        DataError: for a missing column, a value other than 0 and 1, or no labels at all.
    """
    if labels is None:
        free = [c for c in table.columns if c not in _KNOWN and not c.startswith(UNNAMED)]
        found = [c for c in free if table[c].notna().any() and table[c].dropna().isin([0, 1]).all()]
    else:
        found = list(labels)
        if twice := sorted({c for c in found if found.count(c) > 1}):
            raise DataError("label columns are named twice", file=file, value=twice)
        if absent := [c for c in found if c not in table.columns]:
            raise DataError("there are no such label columns", file=file, value=absent)
        for column in found:
            wrong = table[column][~table[column].isna() & ~table[column].isin([0, 1])]
            if len(wrong):
                raise DataError(
                    f"label column {column} must hold 0, 1 or nothing",
                    file=file,
                    value=wrong.iloc[0],
                )
    if not found and "scp_codes" not in table.columns:
        raise DataError(
            "there are no labels", file=file, remedy="Add columns of 0 and 1, or scp_codes"
        )
    return found


def _items(table: pd.DataFrame, columns: list[str], file: Path, name: str) -> list[Item]:
    rows = table.to_dict("records")
    paths: list[str] = []
    seen: dict[Any, int] = {}
    for position, row in enumerate(rows, 1):
        path = text(row["record"])
        where = f"{file}, row {position}"
        if path is None:
            raise DataError("a row names no record", file=where)
        if (first := seen.setdefault(record_identity(file.parent / path), position)) != position:
            raise DataError(
                "a record stands twice", file=where, value=path,
                remedy=f"Row {first} names it too, as {paths[first - 1]}",
            )  # fmt: skip
        paths.append(path)
    stems = [_stem(p) for p in paths]
    ids = stems if len(set(stems)) == len(stems) else [os.path.normpath(p) for p in paths]
    items = []
    for position, (i, path, row) in enumerate(zip(ids, paths, rows, strict=True), 1):
        where = f"{file}, row {position}, record {path}"
        items.append(
            Item(
                f"{name}/{i}", file.parent / path, _about(row, columns, where),
                rate=_rate(row, where), unit=_unit(row, where),
                orientation=_orientation(row, where),
            )
        )  # fmt: skip
    return items


def _rate(row: dict[Any, Any], where: str) -> float | None:
    rate = number(row.get("rate"), where)
    if rate is not None and rate <= 0:
        raise DataError("rate must be a positive number of Hz", file=where, value=rate)
    return rate


def _unit(row: dict[Any, Any], where: str) -> str | None:
    if (unit := text(row.get("unit"))) is not None:
        try:
            millivolts(unit)
        except RecordError as error:
            raise DataError(error.what, file=where, value=unit, remedy=error.remedy) from None
    return unit


def _orientation(row: dict[Any, Any], where: str) -> str | None:
    value = text(row.get("orientation"))
    if value is not None and value not in ORIENTATIONS:
        raise DataError("unknown orientation", file=where, value=value,
                        remedy=f"Use {' or '.join(ORIENTATIONS)}")  # fmt: skip
    return value


def _stem(path: str) -> str:
    name = Path(path)
    return name.stem if name.suffix.lower() in (*WFDB_SUFFIXES, *TABLES, ".npy") else name.name


def _about(row: dict[Any, Any], columns: list[str], where: str) -> dict[str, Any]:
    import pandas as pd

    about: dict[str, Any] = {
        "patient_id": identifier(row.get("patient_id")),
        "fold": _fold(row, where),
        "scp_codes": parse_scp(row.get("scp_codes"), where),
        "columns": {c: None if pd.isna(row[c]) else int(row[c]) for c in columns},
        "device": text(row.get("device")),
        "site": identifier(row.get("site")),
        "metadata": {k: v for k, v in row.items() if k not in _KNOWN and k not in columns},
    }
    if "age" in row:
        about["age"] = number(row["age"], where)
    if "sex" in row:
        about["sex"] = _sex(row["sex"], where)
    return about


def _fold(row: dict[Any, Any], where: str) -> int | None:
    fold = whole_number(row.get("fold"), where, "fold", most=10)
    split = text(row.get("split"))
    if split is not None and split.lower() not in SPLITS:
        raise DataError("unknown split", file=where, value=split, remedy="Use train, val or test")
    if fold is None:
        return None if split is None else SPLITS[split.lower()]
    if split is not None and SPLITS[split.lower()] != fold:
        raise DataError(
            "fold and split disagree",
            file=where,
            value=(fold, split),
            remedy="Leave one of the two columns out",
        )
    return fold


def _sex(cell: Any, where: str) -> str | None:
    value = text(cell)
    if value is None or value.lower() == "unknown":
        return None
    if value.lower() not in SEXES:
        raise DataError(
            "sex must be male, female, m, f or empty",
            file=where,
            value=value,
            remedy="0 and 1 mean different things in different archives",
        )
    return SEXES[value.lower()]


def _check_agreement(items: list[Item], columns: list[str]) -> None:
    """Check class columns against SCP codes before packing, which can take hours.

    Raises:
        LabelError: if they contradict each other.
    """
    import pandas as pd

    rows = [
        {
            "record_id": item.record_id,
            "scp_codes": None if (scp := item.about["scp_codes"]) is None else json.dumps(scp),
            **{f"y_{c}": v for c, v in item.about["columns"].items()},
        }
        for item in items
    ]
    table = pd.DataFrame(rows)
    for scheme in SCHEMES.values():
        if set(scheme.codes) <= set(columns):
            targets(table, scheme)


def _first_rate(items: list[Item], file: Path, reading: Reading) -> float:
    """Return the rate of the first record that can be read.

    Raises:
        DataError: if no record can be read.
        RecordError: if the first record cannot be read and `on_error="stop"`.
    """
    reasons = []
    for item in items:
        try:
            return reading.open(item).rate
        except RecordError as error:
            if reading.on_error == "stop":
                raise
            reasons.append(str(error))
    raise DataError("none of the records can be read", file=file, value=reasons[0])
