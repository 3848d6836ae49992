"""Parsing of source tables: typed values of cells, with errors that name the file and row."""

from __future__ import annotations

import ast
import csv
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.errors import DataError
from ecgvision.labels.schemes import SCHEMES

if TYPE_CHECKING:
    import pandas as pd

UNNAMED = "Unnamed: "
"""What the name of a column without a name begins with; pandas writes its row numbers so."""

_STATEMENTS = frozenset(SCHEMES["all"].codes)
_TEXTS = ("record", "patient_id", "scp_codes", "site", "device", "unit", "orientation")


def read_table(file: str | Path, needed: Sequence[str]) -> pd.DataFrame:
    """Read a CSV that has at least the needed columns; identifiers and codes stay text.

    Raises:
        DataError: if the file is missing, unreadable or empty, lacks a column, or has one twice.
    """
    import pandas as pd

    try:
        with open(file, newline="", encoding="utf-8-sig") as stream:
            header = [name.strip() for name in next(csv.reader(stream), [])]
        header = [name or f"{UNNAMED}{i}" for i, name in enumerate(header)]
        _check_header(header, file)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells without a name
            table = pd.read_csv(
                file, dtype={c: str for c in _TEXTS if c in header}, low_memory=False, header=0,
                names=header or None, index_col=False,
            )  # fmt: skip
    except FileNotFoundError:
        raise DataError("there is no such file", file=file) from None
    except DataError:
        raise
    except pd.errors.ParserWarning:
        raise DataError("rows have more cells than the table has columns", file=file,
                        value=len(header), remedy="Name every column") from None  # fmt: skip
    except (OSError, ValueError, csv.Error) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"the table cannot be read ({error})", file=file) from error
    if absent := [c for c in needed if c not in table.columns]:
        raise DataError(
            "the table lacks columns", file=file, value=absent, remedy="See --help for the columns"
        )
    if table.empty:
        raise DataError("the table has no rows", file=file)
    return table


def _check_header(header: list[str], file: str | Path) -> None:
    """Check a table's row of names.

    Raises:
        DataError: if a name stands twice, or the names are separated by semicolons.
    """
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise DataError("columns stand twice", file=file, value=twice,
                        remedy="Keep one of each name")  # fmt: skip
    if len(header) == 1 and ";" in header[0]:
        raise DataError("the table's columns are separated by semicolons", file=file,
                        value=header[0], remedy="Separate them by commas")  # fmt: skip


def text(cell: Any) -> str | None:
    """Return the cell as stripped text; None if empty."""
    import pandas as pd

    if cell is None or (isinstance(cell, float) and cell != cell) or cell is pd.NA:
        return None
    return str(cell).strip() or None


def identifier(cell: Any) -> str | None:
    """Return an identifier; `8697.0` (pandas' form of integers beside gaps) becomes `8697`."""
    name = text(cell)
    return re.sub(r"^(\d+)\.0$", r"\1", name) if name else None


def number(cell: Any, where: str) -> float | None:
    """Return the cell as a finite number; None if empty.

    Raises:
        DataError: for anything else.
    """
    value = text(cell)
    try:
        found = None if value is None else float(value)
        if value is not None and "_" in value:
            raise ValueError
    except ValueError:
        raise DataError("a number is needed", file=where, value=value) from None
    if found is not None and abs(found) == float("inf"):
        raise DataError("a finite number is needed", file=where, value=value)
    return found


def whole_number(
    cell: Any, where: str, name: str, *, least: int = 1, most: int | None = None
) -> int | None:
    """Return the cell as a whole number in a range; None if empty.

    Args:
        where: file and row, for messages.
        name: of the column.

    Raises:
        DataError: naming the column and the value.
    """
    wanted = f"from {least}" + ("" if most is None else f" to {most}")
    try:
        found = number(cell, where)
        if found is None:
            return None
        if found == int(found) and least <= found and (most is None or found <= most):
            return int(found)
    except DataError:
        pass
    raise DataError(f"{name} must be a whole number {wanted}", file=where, value=_short(cell))


def _short(cell: Any) -> Any:
    """Return a cell for a message: a text of thousands of digits is cut."""
    return f"{cell[:60]}…" if isinstance(cell, str) and len(cell) > 60 else cell


def parse_scp(cell: Any, where: str) -> dict[str, float] | None:
    """Parse SCP codes: a dict of statement and likelihood, or a list of statements; None if empty.

    Statements in a list have an unknown likelihood, which PTB-XL writes as 0.

    Raises:
        DataError: for other text, a statement that is not among PTB-XL's 71 or stands twice, or a
            likelihood outside 0..100.
    """
    written = text(cell)
    if written is None:
        return None
    remedy = "Write {'NORM': 100.0, 'SR': 0.0} or ['NORM', 'SR']"
    try:
        pairs = _pairs(written)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise DataError(
            "SCP codes cannot be read", file=where, value=_short(written), remedy=remedy
        ) from None
    codes = dict(pairs)
    if unknown := sorted(set(codes) - _STATEMENTS):
        raise DataError(
            "unknown SCP statements",
            file=where,
            value=unknown,
            remedy="Use the 71 statements of PTB-XL's scp_statements.csv, or label columns",
        )
    if wrong := {c: likelihood for c, likelihood in pairs if not 0 <= likelihood <= 100}:
        raise DataError("likelihoods lie in 0..100", file=where, value=wrong)
    if len(codes) < len(pairs):
        raise DataError("an SCP statement stands twice", file=where, value=_short(written))
    return codes


def _pairs(written: str) -> list[tuple[str, float]]:
    """Return statements and likelihoods as written, which may hold one twice."""
    tree = ast.parse(written, mode="eval").body
    value = ast.literal_eval(written)
    if isinstance(value, list) and all(isinstance(code, str) for code in value):
        return [(code, 0.0) for code in dict.fromkeys(value)]
    if not (isinstance(value, dict) and isinstance(tree, ast.Dict)):
        raise ValueError
    pairs = []
    for key, likelihood in zip(tree.keys, tree.values, strict=True):
        assert key is not None  # literal_eval refuses `**`
        try:
            pairs.append((str(ast.literal_eval(key)), float(ast.literal_eval(likelihood))))
        except OverflowError:  # a whole number of hundreds of digits
            pairs.append((str(ast.literal_eval(key)), float("inf")))
    return pairs
