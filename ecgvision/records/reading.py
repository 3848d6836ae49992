"""Strict reader of ECG records in several formats, into an `Ecg`.

| format | requirements |
|---|---|
| WFDB | a `.hea` with rate, gain and lead names, and its `.dat` or `.mat`; see `wfdb_format` |
| CSV | a row of lead names; mV, empty where missing; `time`, or `rate`; see `csv_format` |
| DICOM | a waveform object with rate, sensitivities and units; needs pydicom |
| npy | an array (12, T) in mV, leads in the order of `LEADS`; `rate` |

Names of leads, with their spellings, are in `ecgvision.core.lead_names`. Corrections are listed in
the record's notes; `ecgvision.records.notes` has their kinds.
"""

from __future__ import annotations

from pathlib import Path

from ecgvision.core.ecg import Ecg
from ecgvision.core.errors import RecordError
from ecgvision.records.option_names import API, OptionNames
from ecgvision.records.recording import open_record


def read_record(
    path: str | Path,
    *,
    rate: float | None = None,
    unit: str | None = None,
    orientation: str | None = None,
    start: float = 0.0,
    seconds: float | None = None,
    options: OptionNames = API,
) -> Ecg:
    """Read a WFDB, CSV, npy or DICOM record, or a part of it.

    Args:
        path: a WFDB record with or without a suffix, a `.csv` or `.npy` file, or a DICOM
            waveform.
        rate, unit, orientation, options: as for `open_record`.
        start: second at which the part begins.
        seconds: of the part; None reads to the end.

    Returns:
        The recording: (12, T) float32 mV in canonical order, NaN where missing; with its notes.

    Raises:
        RecordError: naming the file, the value and the remedy.
    """
    recording = open_record(path, rate=rate, unit=unit, orientation=orientation, options=options)
    first = round(start * recording.rate)
    last = None if seconds is None else first + round(seconds * recording.rate)
    if not 0 <= first < recording.length or (last is not None and last <= first):
        raise RecordError(f"the part lies outside the record's {recording.seconds:g} s",
                          file=recording.path, value=(start, seconds))  # fmt: skip
    return recording.ecg(first, last)
