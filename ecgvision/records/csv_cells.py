"""Lines of a text table and the numbers in their cells, read in parts of a megabyte."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import RecordError

_PART = 1 << 20  # characters that are read at a time
_LINE = 1 << 18  # longest line: a thousand columns have a few thousand characters
_MISSING = {"", "nan", "na", "n/a", "null", "none"}
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+")
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")


def number_of(cell: str) -> float | None:
    """Return the number of a cell, NaN for a word such as `nan` or `NA`; None if it is none."""
    text = cell.strip()
    if text.lower() in _MISSING:
        return float("nan") if text else None
    try:
        return float(text)
    except ValueError:
        return None


class Lines:
    """Lines of an open text file, each with its line end.

    Raises:
        RecordError: if a line is so long that the file is no table.
    """

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path = file, path

    def heading(self) -> Iterator[str]:
        """Yield single lines, so that the caller may stop at any."""
        while line := self._file.readline(_LINE):
            yield self._checked(line)

    def blocks(self) -> Iterator[list[str]]:
        """Yield the lines that are left, many at a time."""
        rest = ""
        while part := self._file.read(_PART):
            lines = StringIO(rest + part).readlines()
            rest = "" if lines[-1].endswith("\n") else self._checked(lines.pop())
            if lines:
                yield lines
        if rest:
            yield [rest]

    def _checked(self, line: str) -> str:
        if len(line) >= _LINE:
            raise RecordError("a line is too long for a table", file=self._path,
                              value=f"over {_LINE:,} characters",
                              remedy="Write one sample a line")  # fmt: skip
        return line


class Cells:
    """Reads rows of numbers whose decimal separator is a point or a comma, the same in a file.

    Args:
        path: for messages.
        names: of the columns.
        separator: between columns.
    """

    def __init__(self, path: Path, names: Sequence[str], separator: str) -> None:
        self.path, self.names, self.separator = path, names, separator
        self._plain = re.compile(rf"[-+.\deE \n{re.escape(separator)}]*")
        self._point: tuple[int, str] | None = None  # the first cell with a decimal point
        self._comma: tuple[int, str] | None = None
        self._proven = False  # a comma that cannot separate thousands

    def parse(self, lines: Sequence[str], first: int) -> NDArray[np.float64]:
        """Return (rows, columns) float64, NaN where missing.

        A line that is empty is no row; one of separators alone is a row without values.

        Args:
            lines: of the file.
            first: number of the first of them.

        Raises:
            RecordError: naming a line of another number of cells, or with a cell that is no number.
        """
        values = self._parse_plain(lines)
        if values is None:
            return self._parse_cells(lines, first)
        if self._point is None:
            self._point = next(
                ((first + i, cell.strip()) for i, line in enumerate(lines) if "." in line
                 for cell in line.split(self.separator) if "." in cell), None
            )  # fmt: skip
        return values

    def check(self) -> None:
        """Check that commas were decimal commas.

        Raises:
            RecordError: if they may have separated thousands.
        """
        if self._comma is None:
            return
        line, text = self._comma
        if self._point is not None:
            raise RecordError(
                f"numbers have decimal points and commas: line {self._point[0]} has "
                f"{self._point[1]}, line {line} has {text}", file=self.path,
                remedy="Use one of the two",
            )  # fmt: skip
        if not self._proven:
            raise RecordError(
                f"the comma of line {line} may separate decimals or thousands", file=self.path,
                value=text, remedy="Write the numbers with decimal points",
            )  # fmt: skip

    def _parse_plain(self, lines: Sequence[str]) -> NDArray[np.float64] | None:
        """Return the values of lines that are numbers without more, many times as fast."""
        text = "".join(lines)
        if not text.strip() or not self._plain.fullmatch(text):
            return None
        try:
            values = np.loadtxt(lines, delimiter=self.separator, comments=None, ndmin=2)
        except ValueError:  # a missing value, or a malformed line, which is then named
            return None
        return values if values.shape[1] == len(self.names) else None

    def _parse_cells(self, lines: Sequence[str], first: int) -> NDArray[np.float64]:
        rows = []
        for number, row in enumerate(csv.reader(lines, delimiter=self.separator), first):
            if not any(cell.strip() for cell in row) and len(row) != len(self.names):
                continue
            if len(row) != len(self.names):
                raise RecordError(
                    f"line {number} must have {len(self.names)} values", file=self.path,
                    value=len(row), remedy="Decimal commas need semicolons between columns"
                    if len(row) == 2 * len(self.names) else "",
                )  # fmt: skip
            rows.append([self._value(cell, number, i) for i, cell in enumerate(row)])
        return np.array(rows, np.float64).reshape(-1, len(self.names))

    def _value(self, cell: str, line: int, column: int) -> float:
        value = self._number(cell.strip(), line)
        if value is None:
            name = self.names[column] or "without name"
            raise RecordError(f"line {line} is not numbers (column {name})", file=self.path,
                              value=cell.strip())  # fmt: skip
        return value

    def _number(self, text: str, line: int) -> float | None:
        if "," not in text:
            if "." in text and self._point is None:
                self._point = (line, text)
            return float("nan") if not text else number_of(text)
        if not _DECIMAL_COMMA.fullmatch(text) and not _THOUSANDS.fullmatch(text):
            return None
        self._comma = self._comma or (line, text)
        self._proven = self._proven or not _THOUSANDS.fullmatch(text)
        return number_of(text.replace(",", ".")) if text.count(",") == 1 else float("nan")
