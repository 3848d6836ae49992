"""Strict reader of WFDB records: a `.hea` header beside a `.dat` or MATLAB v4 `.mat` file.

Written from the header(5) and signal(5) pages of the WFDB documentation. A header must state every
field whose documented default would change amplitudes or time (rate 250 Hz, gain 200 per unit).
Format 16, the signal format of ECG archives, is read directly through a memory map, about ten times
faster than through the `wfdb` package. The `wfdb` package reads the other formats.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import RecordError
from ecgvision.core.input_files import RECORD, check_input, read_text
from ecgvision.records.channels import Channels, Window
from ecgvision.records.option_names import OptionNames
from ecgvision.records.units import known_unit

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
    layout: str  # the format field as written, with samples a frame and skew
    plain: bool  # one sample a frame, no skew


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
            "the header cannot be read", file=path, value=error.strerror,
            remedy="Records are read as WFDB (.hea beside .dat or .mat), CSV, npy and DICOM",
        ) from None  # fmt: skip
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
    """Parse a signal line: file, format, gain, up to five whole numbers, and the lead."""
    fields = line.split()
    form = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    gain = _GAIN.fullmatch(fields[2]) if len(fields) > 2 else None
    numbers = 0
    while numbers < 5 and re.fullmatch(r"[-+]?\d+", "".join(fields[3 + numbers :][:1])):
        numbers += 1
    name = " ".join(line.split(maxsplit=3 + numbers)[3 + numbers :]).strip()
    if form is None or gain is None or not name:
        raise RecordError(
            "a signal line must state file, format, gain and lead",
            file=path,
            value=line,
            remedy="Correct the header: a gain that is left out would have to be guessed",
        )
    try:
        steps = float(gain.group(1))
        zero = int(fields[4]) if numbers > 1 else 0
    except ValueError:
        raise RecordError("a signal line holds a wrong number", file=path, value=line) from None
    if "/" in fields[0] or "\\" in fields[0]:
        raise RecordError("the signal file must lie beside its header", file=path, value=fields[0])
    return Channel(
        name=name, file=fields[0], format=int(form.group(1)),
        byte_offset=int(form.group(4) or 0), gain=steps,
        baseline=int(gain.group(2)) if gain.group(2) else zero, unit=gain.group(3),
        layout=fields[1], plain=int(form.group(2) or 1) == 1 and int(form.group(3) or 0) == 0,
    )  # fmt: skip


def open_wfdb(path: Path, *, unit: str | None, options: OptionNames) -> Channels:
    """Open a record.

    Args:
        path: the header.
        unit: of the values, if the caller states one; a unit of the header that is none of voltage
            is then allowed.

    Raises:
        RecordError: if header or signal file is missing, malformed or cut short.
    """
    header = read_header(path)
    files = list(dict.fromkeys(c.file for c in header.channels))

    def check(channels: Sequence[int]) -> None:
        for channel in (header.channels[i] for i in channels):
            _check_channel(channel, path, stated=unit, options=options)

    if all(c.format == 16 and c.plain for c in header.channels):
        steps = {name: _map_16(path, header, name) for name in files}
        lengths = {part.shape[0] for part in steps.values()}
        if len(lengths) != 1:
            raise RecordError("the signal files differ in length", file=path)
        length, read = lengths.pop(), _read_16(header, steps)
    else:
        length, read = _length(path, header), _read_others(path, header)
    return Channels(
        path, tuple(c.name for c in header.channels), tuple(c.unit for c in header.channels),
        header.rate, length, read, check, meta=_comments(header.comments), default_unit_note=True,
    )  # fmt: skip


def _check_channel(
    channel: Channel, path: Path, *, stated: str | None, options: OptionNames
) -> None:
    """Check that a channel's samples have a place in time and an amplitude."""
    if not math.isfinite(channel.gain) or channel.gain == 0:
        raise RecordError(
            f"lead {channel.name} is not calibrated: its gain must be a number other than 0",
            file=path,
            value=channel.gain,
            remedy="Correct the header",
        )
    if channel.unit is not None and stated is None and not known_unit(channel.unit):
        raise RecordError(
            f"lead {channel.name} has an unknown unit",
            file=path,
            value=channel.unit,
            remedy=f"Known units: V, mV, uV, nV; {options.unit} states another",
        )
    if not channel.plain:
        raise RecordError(
            "several samples a frame, or skewed signals, are not supported",
            file=path,
            value=channel.layout,
            remedy="Convert the record with WFDB's xform",
        )


def _map_16(path: Path, header: Header, name: str) -> NDArray[np.int16]:
    """Map one file as (T, channels) int16: little-endian, samples interleaved by signal."""
    file = path.with_name(name)
    channels = sum(c.file == name for c in header.channels)
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
        return np.memmap(file, "<i2", "r", offset=skip, shape=(length, channels))
    except OSError as error:
        raise RecordError(
            "the signal file cannot be read",
            file=file,
            value=error.strerror,
            remedy="Get the file that the header names",
        ) from None


def _read_16(header: Header, steps: dict[str, NDArray[np.int16]]) -> Window:
    seen: dict[str, int] = {}
    places = []
    for channel in header.channels:
        places.append((channel.file, seen.setdefault(channel.file, 0)))
        seen[channel.file] += 1
    gains = np.array([c.gain for c in header.channels])
    bases = np.array([c.baseline for c in header.channels])

    def read(start: int, stop: int, channels: Sequence[int]) -> NDArray[np.float64]:
        chosen = list(channels)
        found = np.empty((len(chosen), stop - start), np.int16)
        for file in {places[channel][0] for channel in chosen}:
            rows = [i for i, channel in enumerate(chosen) if places[channel][0] == file]
            columns = [places[chosen[i]][1] for i in rows]
            found[rows] = steps[file][start:stop, columns].T
        values = (found.astype(np.float64) - bases[chosen, None]) / gains[chosen, None]
        values[found == _MISSING_16] = np.nan
        return values

    return read


def _length(path: Path, header: Header) -> int:
    if header.length is not None:
        return header.length
    _check_files(path, header)
    record = _through_wfdb(path)
    return int(np.asarray(record.p_signal).shape[0])


def _check_files(path: Path, header: Header) -> None:
    """Check the signal files, which the `wfdb` package opens by their names."""
    for name in sorted({channel.file for channel in header.channels}):
        try:
            check_input(path.with_name(name), limit=RECORD)
        except OSError as error:
            raise RecordError("the signal file cannot be read", file=path.with_name(name),
                              value=error.strerror) from None  # fmt: skip


def _read_others(path: Path, header: Header) -> Window:
    _check_files(path, header)

    def read(start: int, stop: int, channels: Sequence[int]) -> NDArray[np.float64]:
        record = _through_wfdb(path, sampfrom=start, sampto=stop, channels=list(channels))
        values = np.asarray(record.p_signal, np.float64).T
        if values.shape[1] != stop - start:
            raise RecordError(
                f"the header states {header.length} samples", file=path,
                value=start + values.shape[1],
            )  # fmt: skip
        return values

    return read


def _through_wfdb(path: Path, **part: Any) -> Any:
    """Return the `wfdb` package's record, for signal formats other than 16."""
    with warnings.catch_warnings():
        # wfdb 4.3 calls set_index(inplace=True) at import, which pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        import wfdb

    try:
        return wfdb.rdrecord(str(path.with_suffix("")), physical=True, **part)
    except Exception as error:  # wfdb raises various exceptions for damaged files
        raise RecordError(
            f"the signals cannot be read ({error})", file=path, remedy="Get the record again"
        ) from error


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
