"""Packed store: a memory-mapped int16 file, a parquet table of records, a manifest with hashes.

A store is a folder of three files. It also has `quality.json` if packing reported on the source,
and `keys.npz` (see `record_keys`) once record keys have been computed.

    signals.npy      flat int16; record r is 12 x length values, lead-major, from its offset;
                     a missing value is -32768
    records.parquet  one row per record: position of its values, identity, labels, flags, metadata
    store.json       format, version, rate, source, counts, sizes and sha256 of the other two

Reasons for a plain memory map: a ten-second record at 100 Hz is read in hundredths of a
millisecond, all worker processes share one page cache, and nothing has to be opened or parsed per
record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import StoreError
from ecgvision.core.input_files import TABLE, check_input, read_json
from ecgvision.store.format import (
    COLUMNS,
    FORMAT,
    MANIFEST,
    RECORDS,
    SIGNALS,
    VERSION,
    decode,
    file_sha256,
)
from ecgvision.store.writer import StoreWriter

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Store", "StoreWriter", "check_store"]


class Store:
    """A packed store, opened read-only.

    Attributes:
        path: the folder.
        rate: sampling rate of every record in Hz.
        records: table with one row per record (see `COLUMNS`).
        manifest: content of `store.json`.
        label_columns: the source's own label columns, without their prefix `y_`.
        hash: 16 hex digits over version, rate and both files' sha256.

    Raises:
        StoreError: if the folder is not a store, is of another version, or if a file's size differs
            from the manifest. `verify` checks every byte.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest = check_store(self.path)
        self.rate = float(self.manifest["rate"])
        self.label_columns: list[str] = list(self.manifest["label_columns"])
        self.records = self._read_records()
        self._signals = self._map_signals()
        self._offset = self.records["offset"].to_numpy(np.int64)
        self._length = self.records["length"].to_numpy(np.int64)
        self._scale = self.records["scale"].to_numpy(np.float64)
        ends = self._offset + len(LEADS) * self._length
        if len(ends) and (self._offset.min() < 0 or ends.max() > self._signals.size):
            raise StoreError(
                "a record lies outside the signals",
                file=self.path / RECORDS,
                remedy="Pack the store again",
            )

    def __len__(self) -> int:
        return len(self._offset)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r}, {len(self)} records at {self.rate:g} Hz)"

    def __reduce__(self) -> tuple[Callable[..., Store], tuple[str]]:
        # A pickled memory map would be copied in full into every spawned worker.
        return Store, (str(self.path),)

    @property
    def hash(self) -> str:
        sums = self.manifest["sha256"]
        text = f"{VERSION} {self.rate!r} {sums[SIGNALS]} {sums[RECORDS]}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def records_hash(self) -> str:
        """16 hex digits over the records' names, independent of their rate, labels and order."""
        names = "\0".join(sorted(self.records["record_id"]))
        return hashlib.sha256(names.encode()).hexdigest()[:16]

    def steps(self, row: int) -> NDArray[np.int16]:
        """Return the stored (12, T) int16 steps of a record: a view of the memory map."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of a store of {len(self)} records")
        offset, length = int(self._offset[row]), int(self._length[row])
        return self._signals[offset : offset + len(LEADS) * length].reshape(len(LEADS), length)

    def length(self, row: int) -> int:
        """Return the number of samples per lead of a record."""
        return int(self._length[row])

    def read(self, row: int, start: int = 0, length: int | None = None) -> NDArray[np.float32]:
        """Return the (12, T) float32 signal of a record in mV, NaN where missing; a new array.

        Args:
            start, length: part of the record in samples; only its values are converted. The result
                is shorter than `length` if the record ends before. The default is the complete
                record.
        """
        stop = None if length is None else start + length
        return decode(self.steps(row)[:, start:stop], float(self._scale[row]))

    def verify(self) -> None:
        """Read both files completely and compare their sha256 with the manifest.

        Raises:
            StoreError: naming the file that differs.
        """
        for name in (SIGNALS, RECORDS):
            if file_sha256(self.path / name) != self.manifest["sha256"][name]:
                raise StoreError(
                    "contents differ from the recorded sha256",
                    file=self.path / name,
                    remedy="Pack the store again",
                )

    def _read_records(self) -> pd.DataFrame:
        import pandas as pd

        file = self.path / RECORDS
        try:
            check_input(file, limit=TABLE)
            records = pd.read_parquet(file)
        except Exception as error:  # pyarrow raises various exceptions for damaged files
            raise StoreError(
                f"the table cannot be read ({error})", file=file, remedy="Pack the store again"
            ) from error
        absent = [c for c in COLUMNS if c not in records.columns]
        if absent or len(records) != self.manifest["counts"]["records"]:
            raise StoreError(
                "the table lacks columns or rows that the manifest states",
                file=file,
                value=absent or len(records),
                remedy="Pack the store again",
            )
        return records

    def _map_signals(self) -> NDArray[np.int16]:
        file = self.path / SIGNALS
        try:
            check_input(file)
            signals = np.load(file, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError) as error:
            raise StoreError(
                f"the signals cannot be mapped ({error})", file=file, remedy="Pack the store again"
            ) from error
        if signals.dtype != np.int16 or signals.shape != (self.manifest["counts"]["values"],):
            raise StoreError(
                "the signals are not the flat int16 array that the manifest states",
                file=file,
                value=(str(signals.dtype), signals.shape),
                remedy="Pack the store again",
            )
        # A plain view of the map: slicing np.memmap objects is several times slower.
        return signals.view(np.ndarray)


def check_store(path: str | Path) -> dict[str, Any]:
    """Return a store's manifest after checking that its files exist and have the right sizes.

    The files are not opened.

    Raises:
        StoreError: as for `Store`, except for errors that only the table reveals.
    """
    manifest = _read_manifest(Path(path))
    for name in (SIGNALS, RECORDS):
        file, expected = Path(path) / name, manifest["bytes"][name]
        if not file.is_file():
            raise StoreError(
                "the store is incomplete: this file is missing",
                file=file,
                remedy="Pack the store again",
            )
        if (size := file.stat().st_size) != expected:
            raise StoreError(
                f"the file should have {expected} bytes: cut short or altered",
                file=file,
                value=size,
                remedy="Pack the store again",
            )
    return manifest


def _read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest after checking its format, version and entries."""
    file = path / MANIFEST
    if not path.is_dir():
        raise StoreError(
            "there is no store here", file=path, remedy="Make one with `python -m data_prep.pack`"
        )
    try:
        manifest = read_json(file)
    except FileNotFoundError:
        raise StoreError(
            f"not a store, or half-written: {MANIFEST} is missing",
            file=path,
            remedy="Make one with `python -m data_prep.pack`",
        ) from None
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the manifest is damaged ({error})", file=file, remedy="Pack the store again"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StoreError(
            f"this is not the manifest of an {FORMAT}",
            file=file,
            remedy="Give the folder that `data_prep.pack` wrote",
        )
    if manifest.get("version") != VERSION:
        raise StoreError(
            f"the store is of another version than {VERSION}",
            file=file,
            value=manifest.get("version"),
            remedy="Pack it again",
        )
    try:
        rate = float(manifest["rate"])
        sound = rate > 0 and all(
            isinstance(manifest["bytes"][n], int) and isinstance(manifest["sha256"][n], str)
            for n in (SIGNALS, RECORDS)
        )
        counts = manifest["counts"]
        sound = sound and isinstance(counts["records"], int) and isinstance(counts["values"], int)
        sound = sound and isinstance(manifest["label_columns"], list)
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise StoreError(
            "the manifest lacks an entry or holds a wrong one",
            file=file,
            remedy="Pack the store again",
        )
    return manifest
