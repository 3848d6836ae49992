"""Strict reader of ECG records in several formats, into an `Ecg`.

| format | requirements |
|---|---|
| WFDB | a `.hea` with rate, gain and lead names, and its `.dat` or `.mat`; see `wfdb_format` |
| CSV | a header row of lead names; values in mV, empty where missing; `time` in s, or `rate` |
| npy | an array (12, T) in mV, leads in the order of `LEADS`; `rate` |

Corrections are listed in `meta["notes"]`: `reordered` (leads in another order), `missing:V5` (a
lead is absent: its row is NaN), `infinite` (infinite values became NaN), `unit:uV` (converted),
`unit:default` (a WFDB header without a unit means mV).
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX, LEADS, Ecg, lead_name
from ecgvision.core.errors import RecordError
from ecgvision.core.input_files import RECORD, RECORD_TABLE, open_input
from ecgvision.records.wfdb_format import read_header, read_physical

_WFDB = (".hea", ".dat", ".mat")


def read_record(
    path: str | Path, *, rate: float | None = None, unstated_rate: float | None = None
) -> Ecg:
    """Read a WFDB, CSV or npy record.

    Args:
        path: a WFDB record with or without a suffix, or a `.csv` or `.npy` file.
        rate: Hz; required if the file does not state it, and must agree with the file if it does.
        unstated_rate: Hz if the file does not state its rate; ignored if it does.

    Returns:
        The recording: (12, T) float32 mV in canonical order, NaN where missing.

    Raises:
        RecordError: naming the file, the value and the remedy.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path, rate, unstated_rate)
    if suffix == ".npy":
        return _read_npy(path, rate if rate is not None else unstated_rate)
    header = path.with_suffix(".hea") if suffix in _WFDB else path.with_name(path.name + ".hea")
    return _read_wfdb(header, rate)


def record_inputs(path: str | Path) -> list[Path]:
    """Return the files that `read_record` may read for a path, whether or not they exist."""
    path = Path(path)
    if path.suffix.lower() in (".csv", ".npy"):
        return [path]
    stem = path.with_suffix("") if path.suffix.lower() in _WFDB else path
    return [stem.with_name(stem.name + suffix) for suffix in _WFDB]


def _read_wfdb(path: Path, rate: float | None) -> Ecg:
    header = read_header(path)
    rate = _agreed_rate(rate, header.rate, path)
    notes = [
        "unit:default" if c.unit is None else f"unit:{c.unit}"
        for c in header.channels
        if c.unit is None or c.unit.lower() != "mv"
    ]
    names = [c.name for c in header.channels]
    # Check the leads before reading samples: an unknown lead is the more informative error.
    rows = _rows(names, path)
    signal, placed = _place(read_physical(path, header), rows)
    meta = _comments(header.comments) | {"notes": placed + sorted(set(notes))}
    return Ecg(signal, rate, path.stem, meta)


def _read_csv(path: Path, rate: float | None, unstated: float | None) -> Ecg:
    try:
        with (
            open_input(path, limit=RECORD_TABLE) as raw,
            io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file,
        ):
            table = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"the file cannot be read ({error})", file=path) from None
    if len(table) < 2:
        raise RecordError("the file must hold a row of lead names and rows of values", file=path)
    names = [name.strip() for name in table[0]]
    values = np.empty((len(names), len(table) - 1), np.float64)
    for i, row in enumerate(table[1:]):
        if len(row) != len(names):
            raise RecordError(
                f"line {i + 2} must have {len(names)} values", file=path, value=len(row)
            )
        try:
            values[:, i] = [float(cell) if cell.strip() else np.nan for cell in row]
        except ValueError as error:
            raise RecordError(f"line {i + 2} is not numbers ({error})", file=path) from None
    time = [i for i, name in enumerate(names) if name.lower() in ("time", "time_s", "t")]
    if time:
        rate = _agreed_rate(rate, _rate_of(values[time[0]], path), path)
    elif rate is None:
        rate = unstated
    chosen = [i for i in range(len(names)) if i not in time]
    signal, notes = _place(values[chosen], _rows([names[i] for i in chosen], path))
    return Ecg(signal, _stated(rate, path), path.stem, {"notes": notes})


def _read_npy(path: Path, rate: float | None) -> Ecg:
    try:
        with open_input(path, limit=RECORD) as file:
            array = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise RecordError(f"the file cannot be read ({error})", file=path) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise RecordError("the file must hold an array of floating-point numbers, in mV", file=path,
                          value=str(getattr(array, "dtype", type(array).__name__)),
                          remedy="Divide a converter's counts by its gain")  # fmt: skip
    if array.ndim != 2 or array.shape[0] != len(LEADS) or array.shape[1] < 1:
        raise RecordError(
            "the array must have shape (12, T)",
            file=path,
            value=array.shape,
            remedy=f"Rows are the leads {', '.join(LEADS)}, values mV",
        )
    signal, notes = _place(array.astype(np.float64), list(range(len(LEADS))))
    return Ecg(signal, _stated(rate, path), path.stem, {"notes": notes})


def _rows(names: list[str], path: Path) -> list[int]:
    """Return the canonical row of each channel.

    Raises:
        RecordError: if a lead is unknown or occurs twice, or if there are no leads.
    """
    leads = []
    for name in names:
        try:
            leads.append(lead_name(name))
        except RecordError as error:
            raise RecordError(
                error.what, file=path, value=name, remedy=f"Known leads: {', '.join(LEADS)}"
            ) from None
    if twice := sorted({lead for lead in leads if leads.count(lead) > 1}):
        raise RecordError("a lead stands twice", file=path, value=", ".join(twice))
    if not leads:
        raise RecordError("the record has no leads", file=path)
    return [LEAD_INDEX[lead] for lead in leads]


def _place(
    values: NDArray[np.floating[Any]], rows: list[int]
) -> tuple[NDArray[np.float32], list[str]]:
    """Copy channels (C, T) to their canonical rows of (12, T); the second value is the notes."""
    signal = np.full((len(LEADS), values.shape[1]), np.nan, np.float32)
    signal[rows] = values
    signal[np.isinf(signal)] = np.nan
    notes = ["reordered"] if rows != sorted(rows) else []
    if np.isinf(values).any():
        notes.append("infinite")
    return signal, notes + [f"missing:{lead}" for i, lead in enumerate(LEADS) if i not in rows]


def _agreed_rate(given: float | None, stated: float, path: Path) -> float:
    if given is not None and abs(given - stated) > 1e-3 * stated:
        raise RecordError(
            f"the file states {stated:g} Hz and another rate is expected",
            file=path,
            value=given,
            remedy="Leave the rate out, or correct the file",
        )
    return stated


def _stated(rate: float | None, path: Path) -> float:
    if rate is None:
        raise RecordError("the file does not state its rate", file=path,
                          remedy="Say it, in Hz: rate=, --rate, --unstated-rate or "
                          "data.unstated_rate, whichever your command has")  # fmt: skip
    if not (np.isfinite(rate) and rate > 0):
        raise RecordError("rate must be a positive number of Hz", file=path, value=rate)
    return float(rate)


def _rate_of(time: NDArray[np.floating[Any]], path: Path) -> float:
    """Return the rate of evenly spaced times in seconds.

    A step may be off by a tenth, because printed times are rounded.
    """
    steps = np.diff(time)
    mean = float(time[-1] - time[0]) / len(steps) if len(steps) else np.nan
    if not mean > 0 or not np.all(np.abs(steps - mean) <= 0.1 * mean):
        raise RecordError("the times must be given in even steps", file=path, value=mean)
    rate = 1.0 / mean
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 * rate else rate


def _comments(comments: tuple[str, ...]) -> dict[str, Any]:
    """Parse age (years) and sex from comments like `Age: 77`, as in the PhysioNet Challenges."""
    found = {k.strip().lower(): v.strip() for k, _, v in (c.partition(":") for c in comments)}
    meta: dict[str, Any] = {"comments": list(comments)}
    try:
        meta["age"] = float(found["age"])
    except (KeyError, ValueError):
        meta["age"] = None
    meta["sex"] = {"male": "male", "m": "male", "female": "female", "f": "female"}.get(
        found.get("sex", "").lower()
    )
    return meta
