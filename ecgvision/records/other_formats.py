"""Record formats that are not read, recognised by name or by their first bytes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ecgvision.core.errors import RecordError
from ecgvision.core.input_files import open_input
from ecgvision.records.dicom_format import SUFFIXES as DICOM

WFDB_SUFFIXES = (".hea", ".dat", ".mat")

SUFFIXES = {
    ".xml": "XML", ".aecg": "HL7 aECG", ".hl7": "HL7",
    ".scp": "SCP-ECG", ".ecg": "SCP-ECG or a device's own format", ".edf": "EDF", ".bdf": "BDF",
    ".mwf": "MFER", ".mfer": "MFER", ".npz": "an archive of arrays", ".h5": "HDF5",
    ".hdf5": "HDF5", ".parquet": "Parquet", ".json": "JSON", ".xlsx": "Excel", ".xls": "Excel",
    ".pdf": "PDF", ".png": "a picture", ".jpg": "a picture", ".jpeg": "a picture",
    ".tif": "a picture", ".tiff": "a picture", ".zip": "an archive", ".gz": "a compressed file",
    ".pkl": "a Python pickle", ".pickle": "a Python pickle",
}  # fmt: skip
"""Names of formats by suffix."""

SIGNATURES = (
    (16, b"SCPECG", "SCP-ECG"), (0, b"<?xml", "XML"),
    (0, b"\xef\xbb\xbf<?xml", "XML"), (0, b"0       ", "EDF"), (0, b"\xffBIOSEMI", "BDF"),
    (0, b"%PDF", "PDF"), (0, b"\x89PNG", "a picture"), (0, b"\xff\xd8\xff", "a picture"),
    (0, b"\x89HDF", "HDF5"), (0, b"PK\x03\x04", "an archive"), (0, b"\x93NUMPY", "a .npy array"),
)  # fmt: skip
"""Offset, bytes and format of files that are recognised by their first bytes."""

REMEDY = (
    "Records are read as WFDB (.hea beside .dat or .mat), CSV, npy and DICOM: convert it; "
    "pictures are read by `ecgvision digitize`"
)


def refuse_other_format(path: Path, header: Path) -> None:
    """Refuse a file of another format, unless a WFDB header stands beside it.

    Raises:
        RecordError: naming the format and those that are read.
    """
    if header.is_file():
        return
    if path.is_dir():
        raise RecordError("this is a folder, not a record", file=path,
                          remedy="Name one record in it")  # fmt: skip
    found = SUFFIXES.get(path.suffix.lower())
    if path.is_file() and path.suffix.lower() not in WFDB_SUFFIXES:
        found = found or path.suffix or "a file without suffix"
        found = "a file without the mark of DICOM" if found.lower() in DICOM else found
    with suppress(OSError), open_input(path) as file:
        start = file.read(160)
        found = next((name for at, mark, name in SIGNATURES if start[at:].startswith(mark)), found)
    if found is not None:
        raise RecordError(f"records are not read from this format: {found}", file=path,
                          remedy=REMEDY)  # fmt: skip
