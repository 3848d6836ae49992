"""Writer of packed stores: record by record, in bounded memory, published atomically."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ecgvision.core.atomic_io import put_in_place
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import StoreError
from ecgvision.store.format import (
    COLUMNS,
    FORMAT,
    MANIFEST,
    RECORDS,
    SIGNALS,
    VERSION,
    encode,
    file_sha256,
)

if TYPE_CHECKING:
    import pandas as pd

QUALITY = "quality.json"


class StoreWriter:
    """Context manager that writes a packed store.

    Leaving the block normally finishes the store; an exception leaves nothing behind. Signals are
    written to disk at once and only the table of records is kept in memory, so a store may be
    larger than memory. All files are written to a hidden folder beside the target, which is renamed
    at the end. A store is therefore either complete or absent.

    Args:
        path: the folder to create.
        rate: sampling rate of every record in Hz.
        source: name of the data, for messages and tables.
        label_columns: the source's own label columns (stored as `y_<COLUMN>`).
        quality: report on the source, written to `quality.json`; may be set until the end.
        overwrite: replace an existing store at `path`; otherwise an existing path is an error.

    Raises:
        StoreError: if the target already exists, or the rate is not positive.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        rate: float,
        source: str,
        label_columns: Sequence[str] = (),
        quality: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        if not (np.isfinite(rate) and rate > 0):
            raise StoreError("rate must be a positive number of Hz", file=path, value=rate)
        if self.path.exists() and not overwrite:
            raise StoreError(
                "there is something here already",
                file=path,
                remedy="Choose another folder, or ask to overwrite it",
            )
        self.rate, self.source = float(rate), source
        self.label_columns = list(label_columns)
        self.quality = quality
        self._rows: list[dict[str, Any]] = []
        self._ids: set[str] = set()
        self._values = 0
        self._folder = self.path.parent / f".{self.path.name}.{uuid.uuid4().hex[:8]}.partial"
        self._file: BinaryIO | None = None

    def __enter__(self) -> StoreWriter:
        self._folder.mkdir(parents=True)
        self._file = open(self._folder / SIGNALS, "wb")
        _write_header(self._file, 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None
        try:
            if kind is None:
                _write_header(self._file, self._values)
                self._file.close()
                self._finish()
        finally:
            self._file.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(
        self,
        signal: NDArray[np.float32],
        *,
        record_id: str,
        patient_id: str | None,
        fold: int | None,
        scp_codes: Mapping[str, float] | None,
        columns: Mapping[str, int | None] | None = None,
        age: float | None = None,
        sex: str | None = None,
        device: str | None = None,
        site: str | None = None,
        flags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Append one record.

        Args:
            signal: (12, T) float mV, NaN where missing.
            record_id: unique across stores; begin it with the source's name.
            patient_id: None or empty if unknown; the record then counts as a patient of its own.
            fold: 1-10, or None if the source has no folds.
            scp_codes: statement -> likelihood; None if the source has no codes for the record.
            columns: a value (0, 1 or None) for each of `label_columns`.
            age: in years.
            sex: "male", "female" or None.
            flags: findings of the quality checks.
            metadata: further columns of the source, under their own names.

        Raises:
            StoreError: if the signal, the identifier, the sex or a label cannot be stored.
        """
        steps, scale = encode(signal)
        self.add_steps(
            steps,
            scale,
            record_id=record_id,
            patient_id=patient_id,
            fold=fold,
            scp_codes=scp_codes,
            columns=columns,
            age=age,
            sex=sex,
            device=device,
            site=site,
            flags=flags,
            metadata=metadata,
        )

    def add_steps(
        self, steps: NDArray[np.int16], scale: float, *, record_id: str, **about: Any
    ) -> None:
        """Append a record quantised by `encode`; the other arguments are those of `add`."""
        assert self._file is not None, "use the writer in a with block"
        if not record_id or record_id in self._ids:
            raise StoreError(
                "record_id is empty or stands twice",
                file=self.path,
                value=record_id,
                remedy="Give every record a name of its own",
            )
        row = self._row(record_id, **about)
        for lead in steps:  # one at a time: a long record may be a memory map
            self._file.write(np.ascontiguousarray(lead, dtype="<i2").tobytes())
        self._ids.add(record_id)
        self._rows.append(row | {"offset": self._values, "length": steps.shape[1], "scale": scale})
        self._values += len(LEADS) * steps.shape[1]

    def _row(
        self,
        record_id: str,
        *,
        patient_id: str | None,
        fold: int | None,
        scp_codes: Mapping[str, float] | None,
        columns: Mapping[str, int | None] | None = None,
        age: float | None = None,
        sex: str | None = None,
        device: str | None = None,
        site: str | None = None,
        flags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        if sex not in (None, "male", "female"):
            raise StoreError("sex must be male, female or None", file=record_id, value=sex)
        columns = columns or {}
        if unknown := set(columns) - set(self.label_columns):
            raise StoreError(
                "label columns that were not announced", file=record_id, value=sorted(unknown)
            )
        labels = {f"y_{c}": columns.get(c) for c in self.label_columns}
        if wrong := [v for v in labels.values() if v not in (None, 0, 1)]:
            raise StoreError("a label must be 0, 1 or None", file=record_id, value=wrong[0])
        row = {
            "record_id": record_id,
            "patient_id": patient_id or f"record:{record_id}",
            "fold": fold,
            "scp_codes": None if scp_codes is None else json.dumps(dict(scp_codes)),
            "age": age,
            "sex": sex,
            "device": device,
            "site": site,
            "flags": json.dumps(list(flags)),
        }
        extra = {k: v for k, v in (metadata or {}).items() if k not in row and k not in labels}
        return row | labels | extra

    def _finish(self) -> None:
        table = _typed(self._rows, self.label_columns)
        table.to_parquet(self._folder / RECORDS, index=False)
        if self.quality is not None:
            text = json.dumps(self.quality, indent=1, ensure_ascii=False)
            (self._folder / QUALITY).write_text(text + "\n", encoding="utf-8")
        files = {name: self._folder / name for name in (SIGNALS, RECORDS)}
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "rate": self.rate,
            "source": self.source,
            "label_columns": self.label_columns,
            "counts": {
                "records": len(table),
                "values": self._values,
                "patients": int(table["patient_id"].nunique()),
            },
            "bytes": {name: file.stat().st_size for name, file in files.items()},
            "sha256": {name: file_sha256(file) for name, file in files.items()},
        }
        (self._folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        put_in_place(self._folder, self.path)


def _write_header(file: BinaryIO, values: int) -> None:
    """Write the .npy header of a flat array; numpy pads it, so the length can be set later."""
    file.seek(0)
    npy.write_array_header_1_0(file, {"descr": "<i2", "fortran_order": False, "shape": (values,)})


def _typed(rows: list[dict[str, Any]], label_columns: Sequence[str]) -> pd.DataFrame:
    """Return the rows as a table whose column types do not depend on the values."""
    import pandas as pd

    labels = [f"y_{c}" for c in label_columns]
    further = dict.fromkeys(k for row in rows for k in row)
    order = list(dict.fromkeys([*COLUMNS, *labels, *further]))
    table = pd.DataFrame(rows, columns=order)
    kinds: dict[str, Any] = dict.fromkeys(labels, "Int8") | {
        "offset": "int64",
        "length": "int64",
        "scale": "float64",
        "fold": "Int64",
        "age": "float64",
    }
    texts = ["record_id", "patient_id", "scp_codes", "sex", "device", "site", "flags"]
    for name in order:
        if name in kinds:
            table[name] = table[name].astype(kinds[name])
        elif name in texts or table[name].dtype == object:
            # Columns of mixed types have no parquet type and are stored as text.
            column = table[name]
            table[name] = column.map(str, na_action="ignore").astype(object).where(column.notna())
    return table
