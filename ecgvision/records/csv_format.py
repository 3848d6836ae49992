"""Records as text tables: a row of lead names, then a row of values for each sample.

Columns are separated by commas, semicolons or tabs. Decimal commas are read where no thousands
separator can be meant. A name may state its unit (`I [uV]`, `time (ms)`), as may a second row. A
column without a name, or named `index` or `sample`, is left out if it counts the rows.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import RecordError
from ecgvision.core.lead_names import read_lead_name
from ecgvision.records.channels import Channels
from ecgvision.records.option_names import OptionNames
from ecgvision.records.plausible import plausible_rate
from ecgvision.records.units import known_unit

SUFFIXES = (".csv", ".tsv", ".txt")
SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6}
"""Seconds of each unit of time."""

_TIME = ("time", "t", "elapsed time", "timestamp", "zeit", "seconds", "sec", "ms")
_INDEX = ("", "index", "idx", "sample", "samples", "sample #", "n", "#")
_MISSING = {"", "nan", "na", "n/a", "null", "none"}
_STATED = re.compile(r"(?P<name>.*?)\s*(?:[\[(](?P<inside>[^\])]+)[\])]|[_/ ](?P<behind>\w+))")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+")
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")


class _Table(NamedTuple):
    """Columns of a text table.

    Attributes:
        names: of the columns, without units.
        units: in the names or in a row of units; None where there is none.
        values: (columns, T) float64, NaN where missing.
    """

    names: list[str]
    units: list[str | None]
    values: list[NDArray[np.float64]]


def open_csv(
    path: Path, *, rate: float | None, unstated_rate: float | None, options: OptionNames
) -> Channels:
    """Read a table.

    Args:
        rate, unstated_rate: Hz that the caller states, to tell the unit of times.

    Raises:
        RecordError: if the table is malformed or ambiguous, naming the line or the column.
    """
    table = _read_table(path)
    length = len(table.values[0])
    times = [i for i, name in enumerate(table.names) if name.lower() in _TIME]
    if len(times) > 1:
        raise RecordError("several columns may be the time", file=path,
                          value=[table.names[i] for i in times],
                          remedy="Keep one of them")  # fmt: skip
    own, notes = None, []
    for i in times:
        unit = table.units[i] or table.names[i].lower()
        own, note = _rate_of(
            table.values[i], SECONDS.get(unit), rate or unstated_rate, path, options
        )
        notes += [note] if note else []
    kept = []
    for i, name in enumerate(table.names):
        if i in times:
            continue
        if name.lower() not in _INDEX or not _is_index(table.values[i], path, i, name):
            kept.append(i)
        elif not np.isnan(table.values[i]).all():
            notes.append(f"dropped:{name or f'column {i + 1}'}")
    signal = []
    for i in kept:
        signal.append(table.values[i].astype(np.float32))
        table.values[i] = np.empty(0)  # a long table is not held twice
    names = tuple(table.names[i] for i in kept)
    units = tuple(table.units[i] for i in kept)

    def read(start: int, stop: int, channels: Sequence[int]) -> NDArray[np.float64]:
        return np.array([signal[c][start:stop] for c in channels], np.float64)

    return Channels(path, names, units, own, length, read, notes=tuple(notes))


def _read_table(path: Path) -> _Table:
    try:
        with path.open("rb") as raw:
            start = raw.read(4096)
        with path.open(newline="", encoding=_encoding(start)) as file:
            return _parse(file, path)
    except (OSError, UnicodeError, csv.Error) as error:
        raise RecordError(f"the file cannot be read ({error})", file=path) from None


def _encoding(start: bytes) -> str:
    """Return the encoding of a file by its first bytes; numbers are the same in all but UTF-16."""
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        start.rpartition(b"\n")[0].decode("utf-8-sig")
    except UnicodeDecodeError:  # a micro sign of Windows
        return "cp1252"
    return "utf-8-sig"


def _head(file: TextIO, path: Path) -> tuple[list[str], str, list[list[str]], int]:
    """Read up to the row of names, which may stand behind comments, or in the last of them.

    Returns:
        The names, the separator, rows that were read already, and the number of the line of names.
    """
    number, comments, stated = 0, [], ""
    for line in file:
        number += 1
        if not line.strip():
            continue
        if re.fullmatch(r"sep=.[\r\n]*", line.lower()):  # as Excel writes it
            stated = line[4]
        elif line.startswith("#") and line[1:2] not in (";", "\t", ",", "|"):
            comments.append((number, line.lstrip("# ")))
        else:
            separator = stated or _separator(line, path)
            cells = next(csv.reader([line.strip("\r\n")], delimiter=separator), [])
            if not comments or any(_number(cell.replace(",", ".")) is None for cell in cells):
                return cells, separator, [], number
            # numpy's savetxt writes the names as a comment
            names = next(csv.reader([comments[-1][1].strip()], delimiter=separator), [])
            return names, separator, [cells], number - 1
    return [], ",", [], number


def _parse(file: TextIO, path: Path) -> _Table:
    names, separator, begun, above = _head(file, path)
    rows = chain(begun, csv.reader(file, delimiter=separator))
    names = [name.strip().strip("'\"").strip() for name in names]
    if names and all(_number(name) is not None for name in names):
        raise RecordError("the first row must hold the names of the leads", file=path,
                          value=", ".join(names[:3]))  # fmt: skip
    stated = [_unit_in(name) for name in names]
    units = [unit for _, unit in stated]
    columns = [array("d") for _ in names]
    commas = _Commas(path)
    units_read = False
    for number, row in enumerate(rows, above + 1):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            raise RecordError(
                f"line {number} must have {len(names)} values", file=path, value=len(row),
                remedy="Decimal commas need semicolons between columns"
                if len(row) == 2 * len(names) else "",
            )  # fmt: skip
        if not columns[0] and not units_read and _units_row(row):
            units_read = True
            units = [unit or cell.strip().strip("'\"[]()") or None
                     for unit, cell in zip(units, row, strict=True)]  # fmt: skip
            continue
        for column, cell, name in zip(columns, row, names, strict=True):
            value = commas.number(cell, number)
            if value is None:
                raise RecordError(f"line {number} is not numbers (column {name or 'without name'})",
                                  file=path, value=cell.strip())  # fmt: skip
            column.append(value)
    if not names or not columns[0]:
        raise RecordError("the file must hold a row of lead names and rows of values", file=path)
    commas.check()
    values = [np.frombuffer(column, np.float64) for column in columns]
    return _Table([name for name, _ in stated], units, values)


def _separator(line: str, path: Path) -> str:
    """Return the separator of a row of names, which hold none themselves."""
    plain = re.sub(r'"[^"]*"', "", line)
    found = [mark for mark in (";", "\t", ",", "|") if mark in plain]
    if len(found) > 1:
        raise RecordError("columns may be separated by more than one sign", file=path,
                          value=" and ".join(repr(mark) for mark in found),
                          remedy="Use commas, or semicolons, or tabs")  # fmt: skip
    if not found and len(words := plain.split()) > 1 and all(_is_name(word) for word in words):
        raise RecordError("columns are separated by spaces", file=path, value=plain.strip(),
                          remedy="Use commas, or semicolons, or tabs")  # fmt: skip
    return found[0] if found else ","


def _is_name(word: str) -> bool:
    try:
        return word.lower() in (*_TIME, *_INDEX) or bool(read_lead_name(word))
    except RecordError:
        return False


def _unit_in(name: str) -> tuple[str, str | None]:
    """Return a column's name without the unit that it states, and the unit."""
    if found := _STATED.fullmatch(name):
        unit = found["inside"] or found["behind"]
        if known_unit(unit) or unit.lower() in SECONDS:
            return found["name"].strip(), unit
    return name, None


def _units_row(row: Sequence[str]) -> bool:
    cells = [cell.strip().strip("'\"[]()").lower() for cell in row]
    return any(known_unit(cell) for cell in cells) and all(
        not cell or known_unit(cell) or cell in SECONDS for cell in cells
    )


def _number(cell: str) -> float | None:
    text = cell.strip()
    if text.lower() in _MISSING:
        return float("nan") if text else None
    try:
        return float(text)
    except ValueError:
        return None


class _Commas:
    """Reads numbers whose decimal separator is a point or a comma, the same in the whole file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.point: tuple[int, str] | None = None  # the first cell with a decimal point
        self.comma: tuple[int, str] | None = None
        self.proven = False  # a comma that cannot separate thousands

    def number(self, cell: str, line: int) -> float | None:
        """Return the number of a cell, NaN if it is empty; None if it is no number."""
        text = cell.strip()
        if "," not in text:
            if "." in text and self.point is None:
                self.point = (line, text)
            return float("nan") if not text else _number(text)
        if not _DECIMAL_COMMA.fullmatch(text) and not _THOUSANDS.fullmatch(text):
            return None
        self.comma = self.comma or (line, text)
        self.proven = self.proven or not _THOUSANDS.fullmatch(text)
        return _number(text.replace(",", ".")) if text.count(",") == 1 else float("nan")

    def check(self) -> None:
        """Check that commas were decimal commas.

        Raises:
            RecordError: if they may have separated thousands.
        """
        if self.comma is None:
            return
        line, text = self.comma
        if self.point is not None:
            raise RecordError(
                f"numbers have decimal points and commas: line {self.point[0]} has {self.point[1]},"
                f" line {line} has {text}", file=self.path, remedy="Use one of the two",
            )  # fmt: skip
        if not self.proven:
            raise RecordError(
                f"the comma of line {line} may separate decimals or thousands", file=self.path,
                value=text, remedy="Write the numbers with decimal points",
            )  # fmt: skip


def _is_index(values: NDArray[np.float64], path: Path, column: int, name: str) -> bool:
    """Return whether a column counts the rows or is empty.

    Raises:
        RecordError: if it has no name and does not.
    """
    if np.isnan(values).all() or (
        values[0] in (0, 1) and (len(values) < 2 or bool(np.all(np.diff(values) == 1)))
    ):
        return True
    if name:
        return False
    raise RecordError(f"column {column + 1} has no name and does not count the rows", file=path,
                      value=values[:3].tolist(),
                      remedy="Name it: a lead, or time")  # fmt: skip


def _rate_of(
    time: NDArray[np.float64], unit: float | None, said: float | None, path: Path,
    options: OptionNames,
) -> tuple[float | None, str]:  # fmt: skip
    """Return the rate of evenly spaced times and a note on their unit.

    A step may be off by a tenth, because printed times are rounded, or by one unit where all times
    are whole numbers.

    Args:
        unit: seconds of the times' unit; None if it is not stated. Times are then in s, ms or us,
            whichever gives the rate of an ECG.
        said: Hz that the caller states; None if it does not.

    Returns:
        None as the rate if the times only count the samples and the caller states a rate.
    """
    steps = np.diff(time)
    mean = float(time[-1] - time[0]) / len(steps) if len(steps) else np.nan
    whole = bool(np.all(time == np.rint(time)))
    allowed = max(0.1 * mean, 1.0 if whole and mean >= 2 else 0.0)
    if not mean > 0 or not np.all(np.abs(steps - mean) <= allowed):
        raise RecordError("the times must be given in even steps", file=path, value=mean)
    if unit is not None:
        return _rounded(1 / (mean * unit)), "" if unit == 1 else f"time:{_unit_name(unit)}"
    if whole and mean == 1:  # a count of samples, or ms at 1000 Hz
        if said is None:
            raise RecordError(
                "the times 0, 1, 2 … may be ms, or may count the samples", file=path,
                value=time[:3].tolist(), remedy=f"State the rate in Hz with {options.rate}",
            )  # fmt: skip
        return None, "time:samples"
    fits = {u: _rounded(1 / (mean * u)) for u in (1.0, 1e-3, 1e-6)}
    for scale, rate in fits.items():
        if plausible_rate(rate):
            return rate, "" if scale == 1 else f"time:{_unit_name(scale)}"
    return fits[1.0], ""


def _unit_name(scale: float) -> str:
    return next(name for name, seconds in SECONDS.items() if seconds == scale)


def _rounded(rate: float) -> float:
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 * rate else rate
