"""Age, sex and diagnoses from the header comments of a Challenge record.

The databases spell them differently (`#Dx: 426783006`, `# Dx : 426783006, 59118001`, `#Sex: M`)
and often have no value (`NaN`, `Unknown`, nothing). Values that mean "not stated" become None.
Values that are not understood become None too and are returned, so that the report can count them.
Diagnoses are stricter: a wrong code would turn a finding into a negative, so it is an error. Stray
commas and duplicate codes, which some headers have, are no error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import LabelError, RecordError
from ecgvision.core.input_files import RECORD, open_input, read_text
from ecgvision.labels.snomed import check_identifier

_COMMENT = re.compile(r"#+\s*(\w+)\s*[:=]\s*(.*)")
_NOTHING = {"", "nan", "none", "null", "unknown", "unk", "n/a", "na", "-", "-1", "?"}
_SEXES = {"male": "male", "m": "male", "female": "female", "f": "female"}
# Headers of May 2020 state 4880/mV for samples of the same size as those with 1000/mV: QRS
# complexes have 400 to 3,200 steps in both. That is 0.1 to 0.6 mV at 4880 and an ordinary ECG at
# 1000.
_WRONG_GAIN = re.compile(r"4880(\.0*)?[(/]")
# A MATLAB v4 file begins with five int32 and a name. 30 is "full matrix, int16, little-endian".
# The name is `val`, so 24 bytes precede the samples (MATLAB Level 4 MAT-File Format).
_MAT4, _MAT4_BYTES = 30, 24


@dataclass(frozen=True)
class About:
    """Contents of a header.

    Attributes:
        age: in years; None if not stated.
        sex: "male" or "female"; None if not stated.
        codes: unique SNOMED CT codes in the header's order; None if not stated.
        unread: comments whose value is not understood.
        signature: record length, and first sample and checksum of each lead, as the header states
            them. Equal signatures mean the same recording. None without checksums.
    """

    age: float | None
    sex: str | None
    codes: tuple[str, ...] | None
    unread: tuple[str, ...] = ()
    signature: str | None = None


def read_about(header: Path) -> About:
    """Read the comments and the signature of a `.hea` file.

    Raises:
        RecordError: if the file cannot be read, a diagnosis is no SNOMED CT identifier, or the gain
            is the wrong one of the Georgia database's first release.
    """
    try:
        text = read_text(header, errors="replace")
    except OSError as error:
        raise RecordError(
            "the header cannot be read",
            file=header,
            value=error.strerror,
            remedy="Get the .hea file that belongs to the record",
        ) from None
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if comment := _COMMENT.fullmatch(line.strip()):
            found.setdefault(comment[1].lower(), []).append(comment[2].strip())
    age, sex = _first(found.get("age")), _first(found.get("sex") or found.get("gender"))
    years = None if age is None else _years(age)
    unread = [f"Age: {age}"] if age is not None and years is None else []
    if sex is not None and sex.lower() not in _SEXES:
        unread.append(f"Sex: {sex}")
    lines = [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]
    _check_gain(lines, header)
    return About(
        years,
        _SEXES.get((sex or "").lower()),
        _codes(found.get("dx"), header),
        tuple(unread),
        _signature(lines),
    )


def _check_gain(lines: list[list[str]], header: Path) -> None:
    if any(len(line) > 8 and _WRONG_GAIN.match(line[2]) for line in lines[1:]):
        raise RecordError(
            "the header is of the Georgia database's first release, whose gain of 4880 steps a mV "
            "was corrected to 1000: amplitudes would be 4.88 times too small",
            file=header,
            remedy="Get the present .hea file; the .mat file is the same",
        )


def _signature(lines: list[list[str]]) -> str | None:
    """Return `About.signature`.

    A signal line of WFDB's header(5) is: file, format, gain, bits, zero, first sample, checksum, …
    """
    if len(lines) < 2 or len(lines[0]) < 4 or any(len(line) < 7 for line in lines[1:]):
        return None
    if all(line[6] == "0" for line in lines[1:]):
        return None
    return " ".join([lines[0][3], *(f"{line[5]},{line[6]}" for line in lines[1:])])


def _first(values: list[str] | None) -> str | None:
    stated = [v for v in values or () if v.lower() not in _NOTHING]
    return stated[0] if stated else None


def _years(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) and value >= 0 else None


def _codes(lines: list[str] | None, header: Path) -> tuple[str, ...] | None:
    """Parse the Dx lines; None (diagnoses unknown, not absent) without a line or a code."""
    written = [c for line in lines or () for c in re.split(r"[,;\s]+", line)]
    codes = [c for c in written if c.lower() not in _NOTHING]
    try:
        return tuple(dict.fromkeys(check_identifier(c) for c in codes)) or None
    except LabelError as error:
        raise RecordError(
            f"a diagnosis is {error.what}",
            file=header,
            value=error.value,
            remedy="Correct the header's Dx line, or leave the record out",
        ) from None


def check_mat(file: Path) -> None:
    """Check that a `.mat` is a MATLAB v4 matrix, which the headers' byte offset of 24 implies.

    Any other file, read as raw samples, would give plausible noise.

    Raises:
        RecordError: if the file cannot be read, is cut short, or is no int16 matrix of 1 to 12
            leads.
    """
    try:
        with open_input(file, limit=RECORD) as stream:
            start = stream.read(_MAT4_BYTES)
    except OSError as error:
        raise RecordError(
            "the signal file cannot be read",
            file=file,
            value=error.strerror,
            remedy="Get the .mat file that belongs to the header",
        ) from None
    if len(start) < _MAT4_BYTES:
        raise RecordError(
            "the signal file is cut short", file=file, value=len(start), remedy="Get it again"
        )
    kind, rows, _, imaginary, name = np.frombuffer(start[:20], "<i4").tolist()
    if (kind, imaginary, name) != (_MAT4, 0, 4):
        raise RecordError(
            "not a MATLAB v4 matrix of 16-bit samples",
            file=file,
            value=start[:20].split(b"\0")[0].decode("latin-1"),
            remedy="Get the Challenge's own file; newer MATLAB files are not WFDB records",
        )
    if not 1 <= rows <= len(LEADS):
        raise RecordError("the signal file does not hold 1 to 12 leads", file=file, value=rows)
