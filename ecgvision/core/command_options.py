"""Checks of evaluation command-line options, made before slow imports."""

from __future__ import annotations

from pathlib import Path

from ecgvision.core.errors import DataError


def check_table_file(path: str | Path) -> None:
    """Check that a predictions table exists.

    Raises:
        DataError: naming the file.
    """
    if not Path(path).is_file():
        raise DataError("there is no predictions table", file=path, remedy="Was the run finished?")
