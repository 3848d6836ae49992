"""Columns of a table that is read in parts: in memory if short, in a temporary file if long."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IN_MEMORY = 64_000_000
"""Bytes of values that are kept in memory (our default: half an hour of 12 leads at 500 Hz)."""


@dataclass(frozen=True)
class ColumnFacts:
    """What is known of a column without keeping it.

    Attributes:
        begin: the first three values.
        steps: smallest and largest difference of neighbours, NaN if a value is missing; None for
            one row. Blank rows at the end do not count here or below.
        mean_step: mean difference of neighbours; NaN for one row.
        whole: all values are whole numbers.
        empty: all values are missing.
    """

    begin: list[float]
    steps: tuple[float, float] | None
    mean_step: float
    whole: bool
    empty: bool


class Columns:
    """A table of numbers, written row by row and read by window.

    Args:
        count: of columns.

    Attributes:
        length: rows up to the last that holds a value.
        blank: rows without a value behind them.
    """

    def __init__(self, count: int) -> None:
        self.count, self.length, self.blank = count, 0, 0
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._begin = np.empty((0, count))
        self._last = np.empty((0, count))
        self._least, self._most = np.full(count, np.inf), np.full(count, -np.inf)
        self._whole, self._empty = np.ones(count, bool), np.ones(count, bool)

    def append(self, rows: NDArray[np.float64]) -> None:
        """Append (rows, count) values, NaN where missing; they are kept as float32.

        Raises:
            OSError: if the folder of temporary files is full.
        """
        filled = np.flatnonzero(~np.isnan(rows).all(1))
        if not len(filled):
            self.blank += len(rows)
            return
        before, after = self.blank, len(rows) - 1 - int(filled[-1])
        rows = np.concatenate([np.full((before, self.count), np.nan), rows[: len(rows) - after]])
        self.blank = after
        if len(self._begin) < 3:
            self._begin = np.concatenate([self._begin, rows[: 3 - len(self._begin)]])
        steps = np.diff(rows, axis=0, prepend=self._last)
        if len(steps):
            self._least = np.minimum(self._least, steps.min(0))  # NaN stays
            self._most = np.maximum(self._most, steps.max(0))
        self._last = rows[-1:].copy()
        self._whole &= (rows == np.rint(rows)).all(0)
        self._empty &= np.isnan(rows).all(0)
        with np.errstate(over="ignore"):  # beyond float32: infinite, which reading notes
            self._file.write(rows.astype(np.float32).tobytes())
        self.length += len(rows)

    def facts(self, column: int) -> ColumnFacts:
        """Return what is known of a column of at least one row."""
        several = self.length > 1
        begin, last = self._begin[:, column].tolist(), float(self._last[0, column])
        return ColumnFacts(
            begin,
            (float(self._least[column]), float(self._most[column])) if several else None,
            (last - begin[0]) / (self.length - 1) if several else np.nan,
            bool(self._whole[column]),
            bool(self._empty[column]),
        )

    def read(self, start: int, stop: int, columns: Sequence[int]) -> NDArray[np.float32]:
        """Return (columns, stop - start) float32, NaN in the blank rows at the end."""
        row = 4 * self.count
        self._file.seek(start * row)
        found = np.frombuffer(self._file.read((stop - start) * row), np.float32)
        values = np.full((len(columns), stop - start), np.nan, np.float32)
        values[:, : len(found) // self.count] = found.reshape(-1, self.count)[:, list(columns)].T
        return values
