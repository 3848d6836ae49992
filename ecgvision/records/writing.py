"""Atomic writing of records as WFDB (format 16) or CSV. Imports numpy only.

`records.read_record` reads both formats; PhysioNet's `wfdb` reads the WFDB files.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecgvision.core.atomic_io import atomic_files
from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import RecordError

STEPS_PER_MV = 1000
"""WFDB steps per millivolt: 1 microvolt each, the resolution of PTB-XL."""

MISSING = -32768
"""Format 16's invalid sample (WFDB signal specification, section `signal(5)`)."""

LARGEST = 32767
"""Format 16's largest step: 32.767 mV here, ten times the amplitude of any ECG lead."""


def write_record(ecg: Ecg, path: str | Path, *, comments: Sequence[str] = ()) -> list[Path]:
    """Write a record; NaN samples are written as missing.

    Args:
        path: `NAME.csv` for a table of `time` in s and one column in mV per lead; otherwise `NAME`,
            `NAME.hea` or `NAME.dat` for the two WFDB files.
        comments: lines for a WFDB header.

    Returns:
        The files written.

    Raises:
        RecordError: if WFDB does not allow the name, or a value does not fit.
    """
    contents = record_contents(ecg, path, comments=comments)
    atomic_files(contents)
    return sorted(contents, key=lambda file: file.suffix != ".hea")


def record_contents(
    ecg: Ecg, path: str | Path, *, comments: Sequence[str] = ()
) -> dict[Path, bytes]:
    """Return the files of a record and their contents, in the order in which they are to appear.

    An old header would describe new samples, so a header is the last.

    Args:
        path, comments: see `write_record`.

    Raises:
        RecordError: see `write_record`.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        return {path: _csv(ecg)}
    return _wfdb(ecg, path, comments)


def record_paths(path: str | Path) -> list[Path]:
    """Return the files that `write_record` writes for a path."""
    path = Path(path)
    if path.suffix.lower() == ".csv":
        return [path]
    return [path.with_suffix(".dat"), path.with_suffix(".hea")]


def check_path(path: str | Path) -> None:
    """Check that `write_record` can write to a path, before there is a record.

    Raises:
        RecordError: if the path is a folder, or its name or suffix is invalid for a record.
    """
    path = Path(path)
    if path.is_dir():
        raise RecordError("the record needs a name, this is a folder", file=path)
    if path.suffix.lower() == ".csv":
        return
    if path.suffix.lower() not in ("", ".hea", ".dat"):
        raise RecordError("records are written as .csv, or as .hea and .dat", file=path,
                          value=path.suffix)  # fmt: skip
    if not re.fullmatch(r"[A-Za-z0-9_-]+", path.stem):
        raise RecordError("a WFDB record's name has letters, digits, hyphens and underscores only",
                          file=path, value=path.stem)  # fmt: skip


def _csv(ecg: Ecg) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["time", *LEADS])
    for i, values in enumerate(ecg.signal.T):
        cells = ["" if np.isnan(v) else f"{v:.4f}" for v in values]
        writer.writerow([f"{i / ecg.rate:.6g}", *cells])
    return file.getvalue().encode()


def _wfdb(ecg: Ecg, path: Path, comments: Sequence[str]) -> dict[Path, bytes]:
    check_path(path)
    steps = np.round(ecg.signal.astype(np.float64) * STEPS_PER_MV)
    worst = float(np.nanmax(np.abs(steps), initial=0))
    if worst > LARGEST:
        raise RecordError("a value does not fit WFDB's 16 bits", file=path,
                          value=f"{worst / STEPS_PER_MV:g} mV",
                          remedy="Write a .csv instead")  # fmt: skip
    samples = np.where(np.isnan(steps), MISSING, steps).astype("<i2")  # (12, T)
    header, data = path.with_suffix(".hea"), path.with_suffix(".dat")
    lines = [f"{path.stem} {len(LEADS)} {ecg.rate:g} {samples.shape[1]}"]
    for lead, row in zip(LEADS, samples, strict=True):
        check = int(row.astype(np.int64).sum()) & 0xFFFF
        check -= 0x10000 if check > 0x7FFF else 0  # signed 16-bit checksum
        lines.append(f"{data.name} 16 {STEPS_PER_MV}(0)/mV 16 0 {row[0]} {check} 0 {lead}")
    lines += [f"# {comment}" for comment in comments]
    text = "\n".join(lines) + "\n"
    return {data: samples.T.tobytes(), header: text.encode("ascii", errors="replace")}
