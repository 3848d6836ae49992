"""Records as text tables: a row of lead names, then a row of values for each sample.

Columns are separated by commas, semicolons or tabs. Decimal commas are read where no thousands
separator can be meant. A name may state its unit (`I [uV]`, `time (ms)`), as may a second row. A
column without a name, or named `index` or `sample`, is left out if it counts the rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import RecordError
from ecgvision.core.input_files import RECORD, open_input
from ecgvision.core.lead_names import read_lead_name
from ecgvision.records.channels import Channels
from ecgvision.records.csv_cells import Cells, Lines, number_of
from ecgvision.records.csv_columns import ColumnFacts, Columns
from ecgvision.records.option_names import OptionNames
from ecgvision.records.plausible import plausible_rate
from ecgvision.records.units import known_unit

SUFFIXES = (".csv", ".tsv", ".txt")
SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6}
"""Seconds of each unit of time."""

_TIME = ("time", "t", "elapsed time", "timestamp", "zeit", "seconds", "sec", "ms")
_INDEX = ("", "index", "idx", "sample", "samples", "sample #", "n", "#")
_STATED = re.compile(r"(?P<name>.*?)\s*(?:[\[(](?P<inside>[^\])]+)[\])]|[_/ ](?P<behind>\w+))")


def open_csv(
    path: Path, *, rate: float | None, unstated_rate: float | None, options: OptionNames
) -> Channels:
    """Read a table through once, in parts; windows are read from a temporary copy.

    Args:
        rate, unstated_rate: Hz that the caller states, to tell the unit of times.

    Raises:
        RecordError: if the table is malformed or ambiguous, naming the line or the column.
    """
    table = _read_table(path)
    times = [i for i, name in enumerate(table.names) if name.lower() in _TIME]
    if len(times) > 1:
        raise RecordError("several columns may be the time", file=path,
                          value=[table.names[i] for i in times],
                          remedy="Keep one of them")  # fmt: skip
    own, notes = None, []
    for i in times:
        unit = table.units[i] or table.names[i].lower()
        own, note = _rate_of(
            table.columns.facts(i), SECONDS.get(unit), rate or unstated_rate, path, options
        )
        notes += [note] if note else []
    kept = []
    for i, name in enumerate(table.names):
        if i in times:
            continue
        facts = table.columns.facts(i)
        if name.lower() not in _INDEX or not _is_index(facts, path, i, name):
            kept.append(i)
        elif not facts.empty:
            notes.append(f"dropped:{name or f'column {i + 1}'}")

    def read(start: int, stop: int, channels: Sequence[int]) -> NDArray[np.float32]:
        return table.columns.read(start, stop, [kept[c] for c in channels])

    # A row that lacks even its time or number is none, such as Excel leaves at the end.
    blank = table.columns.blank if len(kept) == len(table.names) else 0
    return Channels(
        path, tuple(table.names[i] for i in kept), tuple(table.units[i] for i in kept), own,
        table.columns.length + blank, read, notes=tuple(notes),
    )  # fmt: skip


class _Table(NamedTuple):
    """A text table: names of the columns without units, stated units, and values."""

    names: list[str]
    units: list[str | None]
    columns: Columns


def _read_table(path: Path) -> _Table:
    try:
        with open_input(path, limit=RECORD) as raw:
            start = raw.read(4096)
        with path.open(encoding=_encoding(start)) as file:
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


def _head(lines: Lines, path: Path) -> tuple[list[str], str, list[str], int]:
    """Read up to the row of names, which may stand behind comments, or in the last of them.

    Returns:
        The names, the separator, lines of values that were read already, and the number of the line
        of names.
    """
    comments, stated = [], ""
    for number, line in enumerate(lines.heading(), 1):
        if not line.strip():
            continue
        if re.fullmatch(r"sep=.\s*", line.lower()):  # as Excel writes it
            stated = line[4]
        elif line.startswith("#") and line[1:2] not in (";", "\t", ",", "|"):
            comments.append((number, line.lstrip("# ")))
        else:
            separator = stated or _separator(line, path)
            cells = next(csv.reader([line.strip("\n")], delimiter=separator), [])
            if not comments or any(number_of(cell.replace(",", ".")) is None for cell in cells):
                return cells, separator, [], number
            # numpy's savetxt writes the names as a comment
            names = next(csv.reader([comments[-1][1].strip()], delimiter=separator), [])
            return names, separator, [line], number - 1
    return [], ",", [], 0


def _parse(file: TextIO, path: Path) -> _Table:
    lines = Lines(file, path)
    names, separator, begun, above = _head(lines, path)
    names = [name.strip().strip("'\"").strip() for name in names]
    if names and all(number_of(name) is not None for name in names):
        raise RecordError("the first row must hold the names of the leads", file=path,
                          value=", ".join(names[:3]))  # fmt: skip
    stated = [_unit_in(name) for name in names]
    units = [unit for _, unit in stated]
    cells, columns = Cells(path, names, separator), Columns(len(names))
    line = above + 1
    for block in chain([begun], lines.blocks()):
        values = block
        row = [] if columns.length else _first_row(block, separator)
        if len(row) == len(names) and _units_row(row):
            units = [unit or cell.strip().strip("'\"[]()") or None
                     for unit, cell in zip(units, row, strict=True)]  # fmt: skip
            place = next(i for i, text in enumerate(block) if text.strip())
            values = [*block[:place], "\n", *block[place + 1 :]]
        if names:
            columns.append(cells.parse(values, line))
        line += len(block)
    if not columns.length:
        raise RecordError("the file must hold a row of lead names and rows of values", file=path)
    cells.check()
    return _Table([name for name, _ in stated], units, columns)


def _first_row(lines: Sequence[str], separator: str) -> list[str]:
    rows = csv.reader(lines, delimiter=separator)
    return next((row for row in rows if any(cell.strip() for cell in row)), [])


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


def _is_index(facts: ColumnFacts, path: Path, column: int, name: str) -> bool:
    """Return whether a column counts the rows or is empty.

    Raises:
        RecordError: if it has no name and does not.
    """
    if facts.empty or (facts.begin[0] in (0, 1) and facts.steps in (None, (1.0, 1.0))):
        return True
    if name:
        return False
    raise RecordError(f"column {column + 1} has no name and does not count the rows", file=path,
                      value=facts.begin,
                      remedy="Name it: a lead, or time")  # fmt: skip


def _rate_of(
    time: ColumnFacts, unit: float | None, said: float | None, path: Path, options: OptionNames
) -> tuple[float | None, str]:
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
    least, most = time.steps or (np.nan, np.nan)
    mean = time.mean_step
    allowed = max(0.1 * mean, 1.0 if time.whole and mean >= 2 else 0.0)
    if not mean > 0 or not (mean - least <= allowed and most - mean <= allowed):
        raise RecordError("the times must be given in even steps", file=path, value=mean)
    if unit is not None:
        return _rounded(1 / (mean * unit)), "" if unit == 1 else f"time:{_unit_name(unit)}"
    if time.whole and mean == 1:  # a count of samples, or ms at 1000 Hz
        if said is None:
            raise RecordError(
                "the times 0, 1, 2 … may be ms, or may count the samples", file=path,
                value=time.begin, remedy=f"State the rate in Hz with {options.rate}",
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
