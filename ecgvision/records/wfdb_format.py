"""Strict reader of WFDB records: a `.hea` header beside a `.dat` or MATLAB v4 `.mat` file.

Written from the header(5) and signal(5) pages of the WFDB documentation. A header must state every
field whose documented default would change amplitudes or time (rate 250 Hz, gain 200 per unit).
Format 16, the signal format of ECG archives, is read directly, about ten times faster than through
the `wfdb` package. The `wfdb` package reads the other formats.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import RecordError
from ecgvision.core.input_files import RECORD, check_input, read_text

# Millivolts per unit, by the unit's lower-case name; archives write both mV and mv.
UNITS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6, "v": 1e3}
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?")
_GAIN = re.compile(r"([-+.\deE]+)(?:\((-?\d+)\))?(?:/(\S+))?")
_MISSING_16 = -32768


@dataclass(frozen=True)
class Channel:
    """One signal line of a header: location of the samples, and conversion to mV."""

    name: str
    file: str
    format: int
    byte_offset: int
    gain: float  # steps per unit
    baseline: int  # the step of value 0
    unit: str | None  # as written; None if the header omits it


@dataclass(frozen=True)
class Header:
    """The checked content of a header."""

    rate: float
    length: int | None  # samples per signal; None if it follows from the file size
    channels: tuple[Channel, ...]
    comments: tuple[str, ...]


def read_header(path: Path) -> Header:
    """Parse a single-segment header.

    Raises:
        RecordError: if the header is missing, malformed, has several segments, or omits rate or
            gain.
    """
    try:
        lines = read_text(path, errors="replace").splitlines()
    except OSError as error:
        raise RecordError(
            "the header cannot be read", file=path, value=error.strerror, remedy="Check the path"
        ) from None
    comments = tuple(line.lstrip("# ").strip() for line in lines if line.startswith("#"))
    body = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not body:
        raise RecordError("the header is empty", file=path)
    count, rate, length = _record_line(body[0], path)
    if len(body) - 1 != count:
        raise RecordError(
            f"the header announces {count} signals and describes another number",
            file=path,
            value=len(body) - 1,
            remedy="Get the header again",
        )
    return Header(rate, length, tuple(_channel(line, path) for line in body[1:]), comments)


def _record_line(line: str, path: Path) -> tuple[int, float, int | None]:
    fields = line.split()
    if "/" in fields[0]:
        raise RecordError(
            "multi-segment records are not supported",
            file=path,
            value=fields[0],
            remedy="Join the segments first",
        )
    try:
        count = int(fields[1])
        rate = float(fields[2].split("/")[0].split("(")[0])
        length = int(fields[3]) if len(fields) > 3 else 0
    except (IndexError, ValueError):
        raise RecordError(
            "the record line must state name, number of signals and rate", file=path, value=line
        ) from None
    if not (np.isfinite(rate) and rate > 0) or length < 0:
        raise RecordError(
            "the rate must be a positive number of Hz",
            file=path,
            value=fields[2],
            remedy="Correct the header's first line",
        )
    return count, rate, length or None


def _channel(line: str, path: Path) -> Channel:
    fields = line.split(maxsplit=8)
    form = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    gain = _GAIN.fullmatch(fields[2]) if len(fields) > 2 else None
    if form is None or gain is None or len(fields) < 9:
        raise RecordError(
            "a signal line must state file, format, gain and lead",
            file=path,
            value=line,
            remedy="Correct the header: a gain that is left out would have to be guessed",
        )
    name, unit = fields[8].strip(), gain.group(3)
    try:
        steps = float(gain.group(1))
        zero = int(fields[4])
    except ValueError:
        raise RecordError("a signal line holds a wrong number", file=path, value=line) from None
    if not np.isfinite(steps) or steps == 0:
        raise RecordError(
            f"lead {name} is not calibrated: its gain must be a number other than 0",
            file=path,
            value=gain.group(1),
            remedy="Correct the header",
        )
    if unit is not None and unit.lower() not in UNITS:
        raise RecordError(
            f"lead {name} has an unknown unit",
            file=path,
            value=unit,
            remedy="Known units: V, mV, uV, nV",
        )
    if int(form.group(2) or 1) != 1 or int(form.group(3) or 0) != 0:
        raise RecordError(
            "several samples a frame, or skewed signals, are not supported",
            file=path,
            value=fields[1],
            remedy="Convert the record with WFDB's xform",
        )
    if "/" in fields[0] or "\\" in fields[0]:
        raise RecordError("the signal file must lie beside its header", file=path, value=fields[0])
    base = int(gain.group(2)) if gain.group(2) else zero
    return Channel(name, fields[0], int(form.group(1)), int(form.group(4) or 0), steps, base, unit)


def read_physical(path: Path, header: Header) -> NDArray[np.float32]:
    """Return (channels, T) float32 in mV, NaN where the record marks a sample invalid.

    Raises:
        RecordError: if a signal file is missing or shorter than the header states.
    """
    groups: dict[str, list[int]] = {}
    for i, channel in enumerate(header.channels):
        groups.setdefault(channel.file, []).append(i)
    if any(c.format != 16 for c in header.channels):
        units = _through_wfdb(path, header)
    else:
        parts = [_format_16(path, header, file, len(rows)) for file, rows in groups.items()]
        if len({part.shape[1] for part in parts}) != 1:
            raise RecordError("the signal files differ in length", file=path)
        order = [i for rows in groups.values() for i in rows]
        steps = np.concatenate(parts)[np.argsort(order)]
        gain = np.array([[c.gain] for c in header.channels])
        base = np.array([[c.baseline] for c in header.channels])
        units = (steps.astype(np.float64) - base) / gain
        units[steps == _MISSING_16] = np.nan
    millivolt = np.array([[UNITS[(c.unit or "mV").lower()]] for c in header.channels])
    return (units * millivolt).astype(np.float32)


def _format_16(path: Path, header: Header, name: str, channels: int) -> NDArray[np.int16]:
    """Read (channels, T) int16 of one file: little-endian, samples interleaved by signal."""
    file = path.with_name(name)
    skip = max(c.byte_offset for c in header.channels if c.file == name)
    try:
        check_input(file, limit=RECORD)
        size = file.stat().st_size
        length = header.length or (size - skip) // (2 * channels)
        needed = skip + 2 * channels * length
        if size < needed or length < 1:
            raise RecordError(
                f"the signal file is cut short: {needed} bytes are stated",
                file=file,
                value=size,
                remedy="Get the file again",
            )
        values = np.fromfile(file, "<i2", count=channels * length, offset=skip)
    except OSError as error:
        raise RecordError(
            "the signal file cannot be read",
            file=file,
            value=error.strerror,
            remedy="Get the file that the header names",
        ) from None
    return values.reshape(length, channels).T


def _through_wfdb(path: Path, header: Header) -> NDArray[np.float64]:
    """Read (channels, T) in each channel's unit, for signal formats other than 16."""
    with warnings.catch_warnings():
        # wfdb 4.3 calls set_index(inplace=True) at import, which pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        import wfdb

    try:
        for name in {channel.file for channel in header.channels}:
            check_input(path.with_name(name), limit=RECORD)
        record = wfdb.rdrecord(str(path.with_suffix("")), physical=True)
    except Exception as error:  # wfdb raises various exceptions for damaged files
        raise RecordError(
            f"the signals cannot be read ({error})", file=path, remedy="Get the record again"
        ) from error
    signals = np.asarray(record.p_signal, np.float64).T
    if header.length is not None and signals.shape[1] != header.length:
        raise RecordError(
            f"the header states {header.length} samples", file=path, value=signals.shape[1]
        )
    return signals
