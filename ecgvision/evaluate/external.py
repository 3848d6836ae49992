"""Tables of predictions and of labels from elsewhere, brought into one predictions table.

Both are CSV files with a row for each record, and a column that names it:

    predictions   p_<code> probabilities (or z_<code> logits, or columns named as the labels), and
                  where there are several answers to a record stream, layout and artefact
    labels        y_<code> of 0 and 1 (or columns named as the labels), and optionally the patient,
                  `split` (val or test; train is left out), `fold`, and facts for subgroups

A table that does not fit is refused, with the column and the line of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import logit

from ecgvision.core.errors import DataError
from ecgvision.core.input_files import TABLE, check_input
from ecgvision.evaluate import predictions
from ecgvision.evaluate.predictions import META, SPLITS

KEY, PATIENT = "record_id", "patient_id"
VIEW = ("stream", "layout", "artefact")
NAMED = 3
"""Rows or values that a message names (our default)."""


class External(NamedTuple):
    """Predictions of another model, and what is known of its records.

    Attributes:
        table: a predictions table.
        records: a row for each record, with record_id and the columns of the labels' file.
        notes: sentences on what was taken or left out.
    """

    table: pd.DataFrame
    records: pd.DataFrame
    notes: tuple[str, ...]


def read_external(
    answers: str | Path, labels: str | Path, *, key: str | None = None,
    patients: str | None = None, codes: Sequence[str] = (), common: bool = False,
    stream: str = "model",
) -> External:  # fmt: skip
    """Read predictions and labels.

    Args:
        answers: CSV file of predictions.
        labels: CSV file of labels; the same file may hold both.
        key: column that names the record in both; default record_id where both have it, else the
            first column of the predictions.
        patients: column that names the patient, in either file; default patient_id where there is
            one. Without it every record counts as a patient of its own.
        codes: labels to judge; default all. The two files must then have the same ones.
        common: judge the records that both files have; otherwise one that a file lacks is refused.
        stream: name of the model, where the predictions have no column `stream`.

    Raises:
        DataError: for a file that cannot be read, a missing column, a record twice, labels that
            differ, an empty cell, a value out of range, or a patient in two splits or folds.
    """
    return bring_together(read_table(answers), read_table(labels), (answers, labels), key=key,
                          patients=patients, codes=codes, common=common, stream=stream)  # fmt: skip


def bring_together(
    theirs: pd.DataFrame, ours: pd.DataFrame, files: tuple[str | Path, str | Path], *,
    key: str | None = None, patients: str | None = None, codes: Sequence[str] = (),
    common: bool = False, stream: str = "model",
) -> External:  # fmt: skip
    """Bring tables of predictions and labels together; see `read_external`.

    Args:
        theirs, ours: from `read_table`, or made alike.
        files: names of the two in messages.

    Raises:
        DataError: see `read_external`.
    """
    answers, labels = files
    key = _key(theirs, ours, key, (answers, labels))
    theirs, ours = (_keyed(t, key, f) for t, f in ((theirs, answers), (ours, labels)))
    prefix, named = _codes(theirs, ours, codes, (answers, labels))
    theirs, ours = (_judged(t) for t in (theirs, ours))
    _refuse_twice(ours, [KEY], labels)
    views = [name for name in VIEW if name in theirs.columns]
    _refuse_twice(theirs, [KEY, *views], answers)
    theirs, ours, notes = _matched(theirs, ours, (answers, labels), common)
    rows = theirs.merge(ours, on=KEY, how="left", suffixes=("", "_of_labels"), validate="m:1")
    table: dict[str, object] = {
        KEY: rows[KEY],
        PATIENT: _patients(rows, patients, (answers, labels), notes),
        "fold": _fold(rows, labels),
        "split": _split(rows, labels),
        "stream": rows.get("stream", pd.Series(stream, rows.index)).astype(str),
        "layout": rows.get("layout", pd.Series("", rows.index)).fillna("").astype(str),
        "artefact": rows.get("artefact", pd.Series("", rows.index)).fillna("").astype(str),
    }
    table |= {f"z_{c}": _logits(rows, f"{prefix}{c}", prefix, answers) for c in named}
    of_labels = "y_" if f"y_{named[0]}" in ours.columns else ""
    table |= {f"y_{c}": _targets(rows, ours, f"{of_labels}{c}", labels) for c in named}
    made = pd.DataFrame(table).reset_index(drop=True)
    _refuse_shared_patients(made, labels)
    predictions.validate(made, file=answers)
    return External(made.astype({f"y_{c}": "uint8" for c in named}), ours, tuple(notes))


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV file, with the line of each row in the column `_line`.

    Raises:
        DataError: if it cannot be read or has no rows.
    """
    try:
        check_input(path, limit=TABLE)
        found = pd.read_csv(path)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError("not a readable CSV file", file=path, value=str(error)[:200],
                        remedy="Give a CSV file with a row of names") from error  # fmt: skip
    if found.empty:
        raise DataError("the table has no rows", file=path)
    found.columns = [str(c).strip() for c in found.columns]
    return found.assign(_line=np.arange(2, len(found) + 2))


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are not of training."""
    return table[table["split"].astype(str) != "train"] if "split" in table.columns else table


def _key(
    theirs: pd.DataFrame, ours: pd.DataFrame, asked: str | None, files: Sequence[str | Path]
) -> str:
    both = KEY in theirs.columns and KEY in ours.columns
    name = asked or (KEY if both else str(theirs.columns[0]))
    for table, file in zip((theirs, ours), files, strict=True):
        if name not in table.columns:
            raise DataError(f"no column {name}, which names the record", file=file,
                            value=list(table.columns[:8]),
                            remedy="Say which column does: --key NAME")  # fmt: skip
    return name


def _keyed(table: pd.DataFrame, key: str, file: str | Path) -> pd.DataFrame:
    column = table[key]
    if column.isna().any():
        raise DataError(f"{key} is empty in {_lines(table, column.isna())}", file=file,
                        remedy="Name the record in every row")  # fmt: skip
    rest = table.drop(columns=[key, KEY], errors="ignore")
    return rest.assign(**{KEY: column.astype(str)})


def _codes(
    theirs: pd.DataFrame, ours: pd.DataFrame, asked: Sequence[str], files: Sequence[str | Path]
) -> tuple[str, list[str]]:
    """Return the prefix of the predictions' columns and the codes.

    Raises:
        DataError: naming the labels that one file lacks.
    """
    found: list[str] = []
    prefix = ""
    for prefix in ("p_", "z_", ""):
        found = [c[len(prefix) :] for c in theirs.columns if c.startswith(prefix)]
        if prefix == "":
            own = {*META, "_line"}
            labelled = {c[2:] for c in ours.columns if c.startswith("y_")}
            possible = {*ours.columns, *asked, *labelled} - own
            found = [c for c in found if c in possible]
        if found:
            break
    of_labels = [c[2:] for c in ours.columns if c.startswith("y_")]
    known = of_labels or [c for c in found if c in ours.columns]
    if not found:
        raise DataError("no column of predictions", file=files[0], value=list(theirs.columns[:8]),
                        remedy="Name them p_<code>, or as the labels' columns")  # fmt: skip
    wanted = list(asked) or found
    for have, file, what in ((found, files[0], "predictions"), (known, files[1], "labels")):
        if lacking := [c for c in wanted if c not in have]:
            raise DataError(f"the {what} lack labels that are to be judged", file=file,
                            value=lacking,
                            remedy="Choose those of both: --codes A,B")  # fmt: skip
    if not asked and (more := [c for c in of_labels if c not in found]):
        raise DataError("the labels name more than the predictions do", file=files[1], value=more,
                        remedy="Choose those of both: --codes A,B")  # fmt: skip
    return prefix, wanted


def _refuse_twice(table: pd.DataFrame, columns: list[str], file: str | Path) -> None:
    twice = table.duplicated(columns, keep=False)
    if twice.any():
        record = table.loc[twice, KEY].iloc[0]
        lines = _lines(table, twice & (table[KEY] == record))
        raise DataError(
            f"a record stands in several rows: {lines}",
            file=file,
            value=record,
            remedy="Keep one row, or give each a stream, layout or artefact",
        )


def _matched(
    theirs: pd.DataFrame, ours: pd.DataFrame, files: Sequence[str | Path], common: bool
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the rows of records that both files have, with notes on those left out."""
    notes: list[str] = []
    in_theirs, in_ours = theirs[KEY].isin(ours[KEY]), ours[KEY].isin(theirs[KEY])
    if not in_theirs.any():
        raise DataError("predictions and labels have no record in common", file=files[0],
                        value=(list(theirs[KEY][:NAMED]), list(ours[KEY][:NAMED])),
                        remedy="Say which column names the record: --key NAME")  # fmt: skip
    for table, inside, file, what in ((theirs, in_theirs, files[0], "label"),
                                      (ours, in_ours, files[1], "prediction")):  # fmt: skip
        if inside.all():
            continue
        count = int((~inside).sum())
        if not common:
            raise DataError(f"{count} records have no {what}: {_lines(table, ~inside)}", file=file,
                            value=list(table.loc[~inside, KEY][:NAMED]),
                            remedy="Add them, or judge the records of both: --common")  # fmt: skip
        notes.append(f"{count} records without a {what} are left out.")
    return theirs[in_theirs], ours[in_ours], notes


def _patients(
    rows: pd.DataFrame, asked: str | None, files: Sequence[str | Path], notes: list[str]
) -> pd.Series:
    name = asked or PATIENT
    if name not in rows.columns:
        if asked is not None:
            raise DataError(
                f"no column {asked} in either file, which names the patient",
                file=files[1],
                remedy="Say which one does: --patients NAME",
            )
        notes.append("No column names the patient: every record counts as a patient of its own, "
                     "and intervals are too narrow where patients have several.")  # fmt: skip
        return pd.Series("", rows.index)
    column = rows[name]
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")  # 15 where an empty cell made it 15.0
    return column.astype(object).where(column.notna(), "").astype(str)


def _fold(rows: pd.DataFrame, file: str | Path) -> pd.Series:
    if "fold" not in rows.columns:
        return pd.Series(pd.NA, rows.index, dtype="Int64")
    folds = pd.to_numeric(rows["fold"], errors="coerce")
    bad = rows["fold"].notna() & (folds.isna() | (folds % 1 != 0))
    if bad.any():
        raise DataError("fold must be a whole number", file=file,
                        value=str(rows.loc[bad, "fold"].iloc[0]))  # fmt: skip
    return folds.astype("Int64")


def _split(rows: pd.DataFrame, file: str | Path) -> pd.Series:
    if "split" not in rows.columns:
        return pd.Series("test", rows.index)
    bad = ~rows["split"].isin(SPLITS)
    if bad.any():
        raise DataError(f"split must be val or test: {rows.loc[bad, KEY].iloc[0]}", file=file,
                        value=rows.loc[bad, "split"].iloc[0],
                        remedy="Rows of training are left out where labels say train")  # fmt: skip
    return rows["split"].astype(str)


def _numbers(table: pd.DataFrame, column: str, file: str | Path) -> np.ndarray:
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
    if (bad := ~np.isfinite(values)).any():
        raise DataError(f"{column} is empty or no number in {_lines(table, bad)}", file=file,
                        value=str(table.loc[bad, column].iloc[0]),
                        remedy="Fill the cells, or leave these records out")  # fmt: skip
    return values


def _logits(rows: pd.DataFrame, column: str, prefix: str, file: str | Path) -> np.ndarray:
    """Return logits; those of 0 and 1 are of the nearest number inside."""
    values = _numbers(rows, column, file)
    if prefix == "z_":
        return values
    if (bad := (values < 0) | (values > 1)).any():
        raise DataError(f"{column} must lie between 0 and 1: {_lines(rows, bad)}", file=file,
                        value=float(values[bad][0]),
                        remedy="Give probabilities, or name logits z_<code>")  # fmt: skip
    return logit(np.clip(values, np.nextafter(0, 1), np.nextafter(1, 0)))


def _targets(rows: pd.DataFrame, ours: pd.DataFrame, column: str, file: str | Path) -> np.ndarray:
    values = _numbers(ours, column, file)
    if (bad := ~np.isin(values, (0, 1))).any():
        raise DataError(f"{column} must hold 0 and 1 only: {_lines(ours, bad)}", file=file,
                        value=float(values[bad][0]),
                        remedy="An uncertain label is left out with its record")  # fmt: skip
    by_record = pd.Series(values, ours[KEY])
    return by_record.loc[rows[KEY]].to_numpy(np.uint8)


def _refuse_shared_patients(table: pd.DataFrame, file: str | Path) -> None:
    known = table[table[PATIENT] != ""]
    for column in ("split", "fold"):
        counts = known.groupby(PATIENT)[column].nunique()
        if (shared := counts[counts > 1]).any():
            raise DataError(f"{len(shared)} patients stand in more than one {column}", file=file,
                            value=list(shared.index[:NAMED]),
                            remedy="All records of a patient belong to one")  # fmt: skip


def _lines(table: pd.DataFrame, chosen: pd.Series | np.ndarray) -> str:
    """Name the lines of the file on which chosen rows stand."""
    numbers = [str(n) for n in table.loc[np.asarray(chosen, bool), "_line"]]
    more = f" and {len(numbers) - NAMED} more" if len(numbers) > NAMED else ""
    return f"line {', '.join(numbers[:NAMED])}{more}"
