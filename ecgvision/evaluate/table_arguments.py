"""Predictions named on a command line: `PATH[:stream[@view]]`.

PATH is a run's directory, a predictions table (parquet), or a CSV file with a key, p_<code> and
y_<code> columns. After the colon stands the stream, and after @ the layout or the artefact:
`predictions.parquet:image@6x2`, `…:image@6x2@photo`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ecgvision.core.errors import DataError
from ecgvision.core.input_files import read_json

if TYPE_CHECKING:
    import pandas as pd

    from ecgvision.evaluate.metrics.operating_points import OperatingPoints

TABLE = "predictions.parquet"


def file_of(argument: str) -> str:
    """Return the file that an argument names."""
    return split_argument(argument)[0]


def split_argument(argument: str) -> tuple[str, str | None, list[str]]:
    """Return path, stream and views of an argument; a path that exists is taken whole."""
    cuts = [i for i, letter in enumerate(argument) if letter == ":"]
    if Path(argument).exists() or not cuts:
        return _table(argument), None, []
    # a layout may hold a colon (1x1:II), and so may a path: the longest file there is wins
    cut = next((i for i in reversed(cuts) if Path(argument[:i]).exists()), cuts[0])
    stream, *views = argument[cut + 1 :].split("@")
    return _table(argument[:cut]), stream or None, views


def read_rows(
    argument: str, *, split: str, key: str | None
) -> tuple[pd.DataFrame, OperatingPoints | None]:
    """Return the rows that an argument names, and operating points where there are validation rows.

    Raises:
        DataError: if it names no rows, or does not say which of several streams.
    """
    from ecgvision.evaluate import predictions
    from ecgvision.evaluate.metrics import compare, operating_points

    path, stream, views = split_argument(argument)
    if path.lower().endswith(".csv"):
        table = compare.read_probabilities(path, key=key, split=split)
    else:
        table = predictions.load(path)
    streams = sorted(map(str, table["stream"].unique()))
    if stream is None and len(streams) > 1:
        raise DataError(
            "which stream?", file=path, value=streams, remedy=f"Write {path}:{streams[0]}"
        )
    table = predictions.select(table, stream=stream or streams[0])
    rows = predictions.select(table, split=split)
    shown = sorted({*map(str, rows["layout"]), *map(str, rows["artefact"])})
    for view in views:
        rows = rows[(rows["layout"] == view) | (rows["artefact"] == view)].reset_index(drop=True)
    if rows.empty:
        raise DataError(
            f"no {split} rows of that stream and view",
            file=path,
            value=argument,
            remedy=f"It holds the streams {', '.join(streams)} and the views {', '.join(shown)}",
        )
    fitted = (table["split"] == "val").any() and split == "test"
    points = operating_points.fit_from_table(table) if fitted else None
    return rows, next(iter(points.values())) if points else None


def made_by(argument: str) -> str | None:
    """Return the digest of the code that made a run's table; None of a table that is no run's."""
    metrics = Path(file_of(argument)).with_name("metrics.json")
    if not metrics.is_file():
        return None
    return read_json(metrics).get("code")


def _table(path: str) -> str:
    return str(Path(path) / TABLE) if Path(path).is_dir() else path
