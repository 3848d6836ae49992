"""Tables of two systems brought together: CSV files read as predictions, and rows in one order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from ecgvision.core.errors import DataError
from ecgvision.core.input_files import TABLE, check_input
from ecgvision.evaluate.predictions import codes_of, targets_of, validate

THRESHOLD_FREE = ("auroc", "auprc")


def read_probabilities(
    path: str | Path, *, key: str | None = None, split: str = "test", stream: str = "model"
) -> pd.DataFrame:
    """Read a predictions table from any CSV with p_<code> and y_<code> columns.

    The logit is log(p / (1 - p)). At 0 and 1, p is first replaced by the nearest float inside
    (0, 1). This keeps the order of the scores, and temperature 1 gives p back.

    Args:
        path: a CSV file. Its patient_id, fold, split, stream, layout and artefact are used where
            present; without patient_id the patient is unknown.
        key: the column that names the record; default record_id, else the first column.
        split, stream: values for a file without these columns.

    Raises:
        DataError: if the file is not readable, has no p_ columns, or is no valid predictions
            table.
    """
    try:
        check_input(path, limit=TABLE)
        source = pd.read_csv(path)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"not a readable CSV file: {error}", file=path) from error
    key = key or ("record_id" if "record_id" in source.columns else str(source.columns[0]))
    if key not in source.columns:
        raise DataError("no such column", file=path, value=key)
    codes = [str(c)[2:] for c in source.columns if str(c).startswith("p_")]
    if not codes:
        raise DataError("no p_<code> column", file=path, value=list(source.columns)[:8])
    columns: dict[str, Any] = {
        "record_id": source[key].astype(str),
        "patient_id": _column(source, "patient_id", "").fillna("").astype(str),
        "fold": _column(source, "fold", pd.NA).astype("Int64"),
    }
    defaults = {"split": split, "stream": stream, "layout": "", "artefact": ""}
    columns |= {name: _column(source, name, value) for name, value in defaults.items()}
    for code in codes:
        p = source[f"p_{code}"].to_numpy(np.float64)
        if not ((p >= 0) & (p <= 1)).all():
            raise DataError(f"p_{code} must lie between 0 and 1", file=path)
        columns[f"z_{code}"] = logit(np.clip(p, np.nextafter(0, 1), np.nextafter(1, 0)))
    columns |= {c: source[c] for c in source.columns if str(c).startswith("y_")}
    table = pd.DataFrame(columns)
    validate(table, file=path)
    return table


def _column(source: pd.DataFrame, name: str, default: Any) -> pd.Series:
    if name in source.columns:
        return source[name]
    return pd.Series([default] * len(source), index=source.index, dtype=object)


def align(
    a: pd.DataFrame, b: pd.DataFrame, *, match: str | None = None, common: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of both tables in one order, one row per record.

    A patient_id that only one table knows is copied to the other.

    Args:
        match: a regular expression searched in each record_id. Its first group (else the entire
            match) identifies the record: `0*(\\d+)` pairs "00008_lr" with "8".
        common: keep only the records of both tables. By default a record that one table lacks is
            an error.

    Raises:
        DataError: if the labels, records, patients or targets differ.
    """
    if codes_of(a) != codes_of(b):
        raise DataError("the tables hold other labels", value=(codes_of(a), codes_of(b)))
    a, b = (_keyed(table, match) for table in (a, b))
    lacking = a.index.symmetric_difference(b.index)
    if len(lacking) and not common:
        raise DataError(
            f"{len(lacking)} records stand in one table only",
            value=list(lacking[:3]),
            remedy="Ask for the common records, or say how record ids match",
        )
    keys = a.index.intersection(b.index).sort_values()
    if keys.empty:
        raise DataError("the tables have no record in common", value=_first_ids(a, b))
    a, b = a.loc[keys].copy(), b.loc[keys].copy()
    codes = codes_of(a)
    other = [
        k for k, same in zip(keys, (targets_of(a) == targets_of(b)).all(1), strict=True) if not same
    ]
    if other:
        raise DataError(
            f"targets of {len(other)} records differ ({', '.join(codes)})", value=other[:3]
        )
    _merge_patients(a, b)
    return a, b


def _keyed(table: pd.DataFrame, match: str | None) -> pd.DataFrame:
    ids = [str(r) for r in table["record_id"]]
    if match is not None:
        found = [re.search(match, r) for r in ids]
        if bad := [r for r, m in zip(ids, found, strict=True) if m is None]:
            raise DataError(f"record_id does not match {match}", value=bad[0])
        ids = [(m[1] if m.re.groups else m[0]) for m in found if m is not None]
    keyed = table.set_index(pd.Index(ids, name="key"))
    if (twice := keyed.index.duplicated()).any():
        raise DataError(
            "a record stands in several rows of one table",
            value=str(keyed.index[twice][0]),
            remedy="Name one stream, layout and artefact, as in A.parquet:image@3x4+II@clean",
        )
    return keyed


def _first_ids(a: pd.DataFrame, b: pd.DataFrame) -> tuple[list[str], list[str]]:
    return [str(i) for i in a.index[:2]], [str(i) for i in b.index[:2]]


def _merge_patients(a: pd.DataFrame, b: pd.DataFrame) -> None:
    ours, theirs = (t["patient_id"].fillna("").astype(str).to_numpy(object) for t in (a, b))
    both = (ours != "") & (theirs != "")
    if (wrong := both & (ours != theirs)).any():
        raise DataError("patients of a record differ", value=str(a.index[wrong][0]))
    known = np.where(ours != "", ours, theirs)
    a["patient_id"], b["patient_id"] = known, known
