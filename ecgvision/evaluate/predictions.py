"""Predictions table: the parquet file from which every evaluation starts.

One row is one prediction: one stream's output for a record in one layout with one artefact.

    record_id, patient_id, fold     identify the record; an empty patient_id means unknown and
                                    counts as a separate patient
    split                           "val" (operating points are fitted here) or "test" (read once)
    stream, layout, artefact        the output of the model, and the picture that it was shown
    z_<code>  y_<code>  p_<code>    raw logit, target 0/1, probability as deployed

`operating_points.apply` adds the `p_` columns. A table without them is valid too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.command_options import check_table_file
from ecgvision.core.errors import DataError
from ecgvision.core.input_files import TABLE, check_input

META = ("record_id", "patient_id", "fold", "split", "stream", "layout", "artefact")
KEY = ["split", "stream", "layout", "artefact", "record_id"]
SPLITS = ("val", "test")


def build(
    records: pd.DataFrame,
    *,
    split: str,
    stream: str,
    layout: str | Sequence[str],
    artefact: str | Sequence[str],
    logits: ArrayLike,
    targets: ArrayLike,
    codes: Sequence[str],
) -> pd.DataFrame:
    """Build the predictions table of one stream, without `p_` columns.

    `pandas.concat` joins the tables of several streams.

    Args:
        records: N rows with record_id, patient_id and fold, in the order of the logits.
        split: "val" or "test".
        stream: name of the stream.
        layout, artefact: one name for all records, or one for each.
        logits: (N, C) raw logits.
        targets: (N, C) of 0 and 1.
        codes: the C label codes, in order.

    Raises:
        DataError: if the shapes do not agree or `validate` refuses the table.
    """
    z, y = np.asarray(logits), np.asarray(targets)
    shape = (len(records), len(codes))
    for name, array in (("logits", z), ("targets", y)):
        if array.shape != shape:
            raise DataError(
                f"{name} must have one row a record and one column a label: {shape}",
                value=array.shape,
            )
    columns: dict[str, object] = {
        "record_id": _text(records["record_id"]),
        "patient_id": _text(records["patient_id"]),
        "fold": records["fold"].astype("Int64").array,
        "split": split,
        "stream": stream,
        "layout": layout if isinstance(layout, str) else list(layout),
        "artefact": artefact if isinstance(artefact, str) else list(artefact),
    }
    index = pd.RangeIndex(len(records))
    columns |= {f"z_{code}": z[:, i] for i, code in enumerate(codes)}
    columns |= {f"y_{code}": y[:, i] for i, code in enumerate(codes)}
    table = pd.DataFrame(columns, index=index)
    validate(table)
    return table.astype({f"y_{code}": "uint8" for code in codes})


def _text(column: pd.Series) -> list[str]:
    return ["" if missing else str(v) for v, missing in zip(column, column.isna(), strict=True)]


def codes_of(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the label codes of a table, in the order of its `z_` columns."""
    return tuple(str(c)[2:] for c in table.columns if str(c).startswith("z_"))


def logits_of(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the (N, C) raw logits."""
    return table[[f"z_{code}" for code in codes_of(table)]].to_numpy(np.float64)


def targets_of(table: pd.DataFrame) -> NDArray[np.uint8]:
    """Return the (N, C) targets, 0 or 1."""
    return table[[f"y_{code}" for code in codes_of(table)]].to_numpy(np.uint8)


def probabilities_of(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the (N, C) probabilities as deployed."""
    return table[[f"p_{code}" for code in codes_of(table)]].to_numpy(np.float64)


def validate(table: pd.DataFrame, *, file: str | Path | None = None) -> None:
    """Check that a table has the format described in this module.

    Args:
        file: named in the error message.

    Raises:
        DataError: for the first fault found.
    """
    if missing := [name for name in META if name not in table.columns]:
        raise DataError("the predictions table lacks columns", file=file, value=missing)
    codes = codes_of(table)
    if not codes:
        raise DataError("the predictions table has no z_<code> column", file=file)
    for prefix in ("y_", "p_"):
        found = {str(c)[2:] for c in table.columns if str(c).startswith(prefix)}
        if found != set(codes) and (found or prefix == "y_"):
            raise DataError(
                f"the {prefix} columns do not name the same labels as the z_ columns",
                file=file,
                value=sorted(found ^ set(codes)),
            )
    _check_numbers(table, codes, file)
    if unknown := sorted(set(map(str, table["split"].unique())) - set(SPLITS)):
        raise DataError(f"split must be one of {SPLITS}", file=file, value=unknown)
    if (twice := table.duplicated(KEY)).any():
        raise DataError(
            "a record has two answers of one stream to one picture",
            file=file,
            value=tuple(table.loc[twice, KEY].iloc[0]),
            remedy="Give each layout and artefact its own name",
        )


def _check_numbers(table: pd.DataFrame, codes: Sequence[str], file: str | Path | None) -> None:
    for code in codes:
        z = table[f"z_{code}"].to_numpy(np.float64, na_value=np.nan)
        y = table[f"y_{code}"].to_numpy(np.float64, na_value=np.nan)
        if not np.isfinite(z).all():
            where = str(table["record_id"].iloc[int(np.flatnonzero(~np.isfinite(z))[0])])
            raise DataError(
                f"z_{code} is not finite for record {where}",
                file=file,
                remedy="Did training diverge? Try a smaller learning rate",
            )
        if not np.isin(y, (0, 1)).all():
            raise DataError(f"y_{code} must hold 0 and 1 only", file=file)
        if f"p_{code}" in table.columns:
            p = table[f"p_{code}"].to_numpy(np.float64, na_value=np.nan)
            if not ((p >= 0) & (p <= 1)).all():
                raise DataError(f"p_{code} must lie between 0 and 1", file=file)


def select(
    table: pd.DataFrame,
    *,
    split: str | None = None,
    stream: str | None = None,
    layout: str | None = None,
    artefact: str | None = None,
) -> pd.DataFrame:
    """Return the rows that match every given name; `None` matches all."""
    keep = np.ones(len(table), bool)
    chosen = {"split": split, "stream": stream, "layout": layout, "artefact": artefact}
    for column, value in chosen.items():
        if value is not None:
            keep &= (table[column] == value).to_numpy(bool)
    return table.loc[keep].reset_index(drop=True)


def save(table: pd.DataFrame, path: str | Path) -> None:
    """Validate a table and write it as parquet, atomically."""
    validate(table, file=path)
    with atomic_file(path) as part:
        table.to_parquet(part, index=False)


def load(path: str | Path) -> pd.DataFrame:
    """Read a table written by `save`.

    Raises:
        DataError: if the file is missing, is not parquet, or `validate` refuses the table.
    """
    check_table_file(path)
    try:
        check_input(path, limit=TABLE)
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow raises both
        raise DataError(f"not a readable parquet file: {error}", file=path) from error
    validate(table, file=path)
    return table
