"""Parsing of source tables: typed values of cells, with errors that name the file and row."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.errors import DataError
from ecgvision.core.input_files import TABLE, check_input
from ecgvision.labels.schemes import SCHEMES

if TYPE_CHECKING:
    import pandas as pd

_STATEMENTS = frozenset(SCHEMES["all"].codes)


def read_table(file: str | Path, needed: Sequence[str]) -> pd.DataFrame:
    """Read a CSV that has at least the needed columns; identifiers and codes stay text.

    Raises:
        DataError: if the file is missing, unreadable or empty, or lacks a column.
    """
    import pandas as pd

    try:
        check_input(file, limit=TABLE)
        header = pd.read_csv(file, nrows=0).columns
        table = pd.read_csv(
            file,
            dtype={c: str for c in ("record", "patient_id", "scp_codes", "site") if c in header},
            low_memory=False,
        )
    except FileNotFoundError:
        raise DataError("there is no such file", file=file) from None
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"the table cannot be read ({error})", file=file) from error
    if absent := [c for c in needed if c not in table.columns]:
        raise DataError(
            "the table lacks columns", file=file, value=absent, remedy="See --help for the columns"
        )
    if table.empty:
        raise DataError("the table has no rows", file=file)
    return table


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
    except ValueError:
        raise DataError("a number is needed", file=where, value=value) from None
    if found is not None and abs(found) == float("inf"):
        raise DataError("a finite number is needed", file=where, value=value)
    return found


def parse_scp(cell: Any, where: str) -> dict[str, float] | None:
    """Parse SCP codes: a dict of statement and likelihood, or a list of statements; None if empty.

    Statements in a list have an unknown likelihood, which PTB-XL writes as 0.

    Raises:
        DataError: for other text, a statement that is not among PTB-XL's 71, or a likelihood
            outside 0..100.
    """
    written = text(cell)
    if written is None:
        return None
    remedy = "Write {'NORM': 100.0, 'SR': 0.0} or ['NORM', 'SR']"
    try:
        value = ast.literal_eval(written)
        codes = (
            {str(k): float(v) for k, v in value.items()}
            if isinstance(value, dict)
            else {str(code): 0.0 for code in _list(value)}
        )
    except (ValueError, SyntaxError, TypeError):
        raise DataError(
            "SCP codes cannot be read", file=where, value=written, remedy=remedy
        ) from None
    if unknown := sorted(set(codes) - _STATEMENTS):
        raise DataError(
            "unknown SCP statements",
            file=where,
            value=unknown,
            remedy="Use the 71 statements of PTB-XL's scp_statements.csv, or label columns",
        )
    if wrong := [c for c, likelihood in codes.items() if not 0 <= likelihood <= 100]:
        raise DataError("likelihoods lie in 0..100", file=where, value=wrong)
    return codes


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(code, str) for code in value):
        raise ValueError
    return value
