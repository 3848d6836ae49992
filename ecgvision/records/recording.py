"""An open record: twelve leads in mV, read by window, so that a long record needs little memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import RecordError
from ecgvision.records.channels import Channels
from ecgvision.records.csv_format import SUFFIXES as TABLES
from ecgvision.records.csv_format import open_csv
from ecgvision.records.dicom_format import is_dicom, open_dicom
from ecgvision.records.edges import Edges, find_edges
from ecgvision.records.lead_rows import lead_rows
from ecgvision.records.npy_format import ORIENTATIONS, open_npy
from ecgvision.records.option_names import API, OptionNames
from ecgvision.records.other_formats import WFDB_SUFFIXES, refuse_other_format
from ecgvision.records.plausible import (
    check_amplitude,
    check_rate,
    plausible_amplitude,
    plausible_rate,
)
from ecgvision.records.units import millivolts
from ecgvision.records.wfdb_format import open_wfdb

KEPT_SECONDS = 600.0
"""Records up to this length are read once and kept; of longer ones, stretches of
`STRETCH_SECONDS` that add up to it are looked at to judge the amplitude."""

STRETCH_SECONDS = 10.0
_BLOCK = 1 << 18  # samples that are converted at a time


class Recording:
    """One 12-lead record, opened but not read.

    Args:
        channels: the open file.
        rate, unstated_rate, unit, unstated_unit, published, options: as for `open_record`.

    Attributes:
        record_id: the record's name.
        rate: Hz.
        length: samples of each lead.
        meta: metadata of the source.

    Raises:
        RecordError: if leads, rate or amplitude cannot be those of an ECG.
    """

    def __init__(
        self, channels: Channels, *, rate: float | None, unstated_rate: float | None,
        unit: str | None, unstated_unit: str | None, published: bool, options: OptionNames,
    ) -> None:  # fmt: skip
        self.path, self.length, self.meta = channels.path, channels.length, channels.meta
        self.record_id = self.path.stem
        self._channels, self._options = channels, options
        self._notes = list(channels.notes)
        # Check the leads first: an unknown lead is the most informative error.
        self._rows = lead_rows(channels.names, self.path)
        self.rate = self._agreed_rate(channels.rate, rate, unstated_rate)
        channels.check(self._rows.channels)
        self._factor = self._factors(unit, unstated_unit)
        self._infinite = False
        if self.length < 1:
            raise RecordError("the record has no samples", file=self.path)
        check_amplitude(
            self._sample, self.path, options,
            stated=unit or next((u for u in channels.units if u), unstated_unit),
            millivolts_a_step=float(self._factor[self._rows.channels[0]]), published=published,
        )  # fmt: skip

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.length / self.rate

    @property
    def notes(self) -> tuple[str, ...]:
        """What reading changed or found; see `ecgvision.records.notes`."""
        infinite = ["infinite"] if self._infinite else []
        return tuple(dict.fromkeys([*self._rows.notes, *infinite, *self._notes, *self.edges.notes]))

    def read(
        self, start: int = 0, stop: int | None = None, rows: Sequence[int] = range(len(LEADS))
    ) -> NDArray[np.float32]:
        """Return (rows, stop - start) float32 in mV, NaN where missing; a new array.

        Args:
            start, stop: samples; the default is the complete record.
            rows: of `LEADS`.

        Raises:
            RecordError: if the file is damaged, or holds a lead twice with different samples.
        """
        stop = self.length if stop is None else min(stop, self.length)
        if self.seconds <= KEPT_SECONDS:
            return self._sample[list(rows), start:stop].copy()
        return self._convert(start, stop, rows)

    def ecg(self, start: int = 0, stop: int | None = None) -> Ecg:
        """Return samples `start` to `stop` as an `Ecg`, with the notes on the record."""
        signal = self.read(start, stop)
        return Ecg(signal, self.rate, self.record_id, self.meta, self.notes)

    @cached_property
    def edges(self) -> Edges:
        """The part of the record that is signal, without padding and calibration pulses."""
        signs = {
            row: next(iter(parts.values()))
            for row, parts in self._rows.weights.items()
            if row not in self._rows.derived
        }
        # I, II and V1-V6 are recorded; where they are all there, the others may follow from them,
        # and then hold no pulse of the same height.
        recorded = [row for row in signs if row not in range(2, 6)]
        rows = recorded if {0, 1} <= set(recorded) else list(signs)
        sign = np.array([[signs[row]] for row in rows], np.float32)
        return find_edges(
            lambda start, stop: self.read(start, stop, rows) * sign, self.length, self.rate
        )

    @cached_property
    def _sample(self) -> NDArray[np.float32]:
        """(12, n) mV: the record, or stretches spread evenly over a long one."""
        if self.seconds <= KEPT_SECONDS:
            return self._convert(0, self.length, range(len(LEADS)))
        count, size = round(KEPT_SECONDS / STRETCH_SECONDS), round(STRETCH_SECONDS * self.rate)
        starts = np.linspace(0, self.length - size, count).astype(int).tolist()
        rows = range(len(LEADS))
        return np.concatenate([self._convert(s, s + size, rows) for s in starts], axis=1)

    def _convert(self, start: int, stop: int, rows: Sequence[int]) -> NDArray[np.float32]:
        out = np.full((len(rows), max(0, stop - start)), np.nan, np.float32)
        for begin in range(start, stop, _BLOCK):
            end = min(begin + _BLOCK, stop)
            out[:, begin - start : end - start] = self._block(begin, end, rows)
        return out

    def _block(self, start: int, stop: int, rows: Sequence[int]) -> NDArray[np.float32]:
        weights = [self._rows.weights.get(row, {}) for row in rows]
        copies = [self._rows.copies.get(row, ()) for row in rows]
        needed = sorted({c for parts in weights for c in parts}
                        | {c for some in copies for c, _ in some})  # fmt: skip
        out = np.full((len(rows), stop - start), np.nan, np.float32)
        if not needed:
            return out
        values = np.asarray(self._channels.read(start, stop, needed), np.float64)
        values *= self._factor[needed, None]
        if (infinite := np.isinf(values)).any():
            self._infinite = True
            values[infinite] = np.nan
        place = {channel: i for i, channel in enumerate(needed)}
        for i, parts in enumerate(weights):
            if parts:
                out[i] = sum(weight * values[place[c]] for c, weight in parts.items())
            for channel, sign in copies[i]:
                if not np.array_equal(
                    out[i], (sign * values[place[channel]]).astype(np.float32), equal_nan=True
                ):
                    raise RecordError("a lead stands twice, with different samples", file=self.path,
                                      value=LEADS[rows[i]],
                                      remedy="Remove or rename one of the two")  # fmt: skip
        return out

    def _agreed_rate(
        self, stated: float | None, given: float | None, unstated: float | None
    ) -> float:
        """Return the file's rate, or the caller's where the file has none or an impossible one."""
        if stated is None:
            stated = given if given is not None else unstated
            if stated is None:
                raise RecordError("the file does not state its rate", file=self.path,
                                  remedy=f"State it in Hz with {self._options.rate}")  # fmt: skip
            given = None
        if given is not None and abs(given - stated) > 1e-3 * stated:
            if plausible_rate(stated):
                raise RecordError(
                    f"the file states {stated:g} Hz and another rate is expected",
                    file=self.path,
                    value=given,
                    remedy="Leave the rate out, or correct the file",
                )
            stated = given
            self._notes.append(f"rate:{given:g}")
        check_rate(stated, self.path, self._options)
        return float(stated)

    def _factors(self, unit: str | None, unstated: str | None) -> NDArray[np.float64]:
        """Return the millivolts per step of each channel; notes units other than mV.

        Raises:
            RecordError: if the caller's unit is none, or contradicts a stated one that fits.
        """
        own, used = self._channels.units, self._rows.channels
        said = unit if unit is not None else unstated
        names = {c: said if (name := own[c]) is None or not _is_voltage(name) else name
                 for c in used}  # fmt: skip
        factors = np.ones(len(own))
        for channel, name in names.items():
            factors[channel] = 1.0 if name is None else millivolts(name)
        if unit is not None and any(factors[c] != millivolts(unit) for c in used):
            self._factor, self._infinite = factors, False
            fits = plausible_amplitude(self._sample)
            del self._sample
            if fits:
                raise RecordError(
                    "the file states another unit, which fits its values", file=self.path,
                    value=", ".join(dict.fromkeys(name for name in names.values() if name)),
                    remedy=f"Leave {self._options.unit} out, or correct the file",
                )  # fmt: skip
            factors[used] = millivolts(unit)
            names = dict.fromkeys(used, unit)
        for name in dict.fromkeys(names.values()):
            if name is not None and name.lower() != "mv":
                self._notes.append(f"unit:{name}")
            elif name is None and self._channels.default_unit_note:
                self._notes.append("unit_default")
        return factors


def _is_voltage(name: str) -> bool:
    try:
        return millivolts(name) > 0
    except RecordError:
        return False


def record_file(path: Path) -> Path:
    """Return the file that is opened for a record: a table, an array, or a WFDB header."""
    suffix = path.suffix.lower()
    if suffix in WFDB_SUFFIXES:
        return path.with_suffix(".hea")
    if not path.name:  # "." and "/": a folder
        return path
    header = path.with_name(path.name + ".hea")
    return path if suffix in (*TABLES, ".npy") and not header.is_file() else header


def record_identity(path: Path) -> object:
    """Return a value that is equal for two spellings of one record, links included."""
    found = record_file(path)
    try:
        status = os.stat(found)
    except OSError:
        return os.path.realpath(found)
    return status.st_dev, status.st_ino


def open_record(
    path: str | Path,
    *,
    rate: float | None = None,
    unstated_rate: float | None = None,
    unit: str | None = None,
    unstated_unit: str | None = None,
    orientation: str | None = None,
    published: bool = False,
    options: OptionNames = API,
) -> Recording:
    """Open a WFDB, CSV, npy or DICOM record; samples are read when they are asked for.

    Args:
        path: a WFDB record with or without a suffix, a `.csv` or `.npy` file, or a DICOM waveform.
        rate: Hz; required if the file does not state it. If the file does, the two must agree,
            unless the file's own is no rate of an ECG.
        unstated_rate: Hz if the file does not state its rate; ignored if it does.
        unit: of the values, such as `mV`, `uV` or `1e-4V`. If the file states one, the two must
            agree, unless the file's own gives amplitudes that no ECG has.
        unstated_unit: as `unit`, but ignored if the file states its unit.
        orientation: "time-first" for a `.npy` array of shape (T, 12).
        published: of a data set whose unit is known; see `plausible.check_amplitude`.
        options: how the caller states rate, unit and orientation, for messages.

    Raises:
        RecordError: naming the file, the value and the remedy.
    """
    path = Path(path)
    for text in (unit, unstated_unit):
        if text is not None:
            millivolts(text)
    if orientation not in (None, *ORIENTATIONS):
        raise RecordError("unknown orientation", value=orientation,
                          remedy=f"Use {' or '.join(ORIENTATIONS)}")  # fmt: skip
    for given in (rate, unstated_rate):
        if given is not None:
            check_rate(given, path, options)
    file, said = record_file(path), unit or unstated_unit
    if file.suffix.lower() in TABLES:
        channels = open_csv(file, rate=rate, unstated_rate=unstated_rate, options=options)
    elif file.suffix.lower() == ".npy":
        channels = open_npy(file, unit=said, orientation=orientation, options=options)
    elif not file.is_file() and is_dicom(path):
        channels = open_dicom(path)
    else:
        refuse_other_format(path, file)
        channels = open_wfdb(file, unit=said, options=options)
    return Recording(
        channels, rate=rate, unstated_rate=unstated_rate, unit=unit, unstated_unit=unstated_unit,
        published=published, options=options,
    )  # fmt: skip
