"""Write a folder of drawn pages, resumably; `ecgvision.data.drawn_pages` reads it.

A page's PNG is renamed into place after its geometry and mask, so a PNG implies a complete page.
The manifest states `complete` only after the index is written.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.data.drawn_pages import (
    COLUMNS,
    FORMAT,
    INDEX,
    MANIFEST,
    VERSION,
    page_stem,
    read_manifest,
    settings_hash,
)
from ecgvision.store.packed import Store

fcntl: Any = None
with contextlib.suppress(ImportError):  # Windows has none
    fcntl = importlib.import_module("fcntl")

PNG: tuple[int, ...] = (
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_DEFAULT,
)
"""Compression level 1 without filters. On a 2200 x 1700 page this takes a third of the time of
OpenCV's default filter at that level (24 against 66 ms), for a third more bytes."""
if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # older OpenCV has no choice of filters
    PNG += (cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE)
CHUNK = 10_000  # rows of the index held in memory
_END = b"IEND\xaeB`\x82"


def png(image: NDArray[np.uint8], dpi: float) -> bytes:
    """Encode a grey (H, W) or RGB (H, W, 3) uint8 picture as a PNG that states its resolution.

    Raises:
        DataError: if the picture cannot be encoded.
    """
    if image.ndim == 3:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8)
    fine, content = cv2.imencode(".png", image, PNG)
    if not fine:
        raise DataError("the picture could not be coded as PNG", value=image.shape)
    metre = round(dpi / 0.0254)
    body = b"pHYs" + metre.to_bytes(4, "big") * 2 + b"\x01"
    chunk = (9).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    data = content.tobytes()
    return data[:33] + chunk + data[33:]  # after signature and IHDR


def png_dpi(file: Path) -> float:
    """Return the dpi that `png` stated, rounded to 0.01: a PNG stores whole pixels per metre."""
    with file.open("rb") as stream:
        head = stream.read(54)
    return round(int.from_bytes(head[41:45], "big") * 0.0254, 2)


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: beside the target, then rename.

    Raises:
        ConfigError: if it cannot be written, e.g. on a full disk; no partial file remains.
    """
    part = path.with_name(f".{path.name}.part")  # one run at a time: see `Folder`
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ConfigError(
            f"cannot write: {error.strerror}",
            file=path,
            remedy="Make room and issue the same command again: it goes on where it stopped"
            if full
            else "Name a folder that may be written",
        ) from error


def write_page(
    folder: Path, row: int, layout: str, image: NDArray[np.uint8],
    geometry: Mapping[str, Any], mask: NDArray[np.uint8] | None,
) -> None:  # fmt: skip
    """Write the files of one page, its PNG last."""
    stem = folder / page_stem(row, layout)
    dpi = float(geometry["dpi"])
    write(stem.with_suffix(".json"), json.dumps(geometry, allow_nan=False).encode())
    if mask is not None:
        write(stem.with_suffix(".mask.png"), png(mask, dpi))
    write(stem.with_suffix(".png"), png(image, dpi))


def is_whole(folder: Path, row: int, layout: str) -> bool:
    """Return whether the folder has the complete page."""
    file = (folder / page_stem(row, layout)).with_suffix(".png")
    try:
        with file.open("rb") as stream:
            stream.seek(-len(_END), os.SEEK_END)
            return stream.read() == _END
    except OSError:
        return False


class Folder:
    """Folder of pages during drawing, locked against other runs.

    Args:
        path: the folder; created if missing.
        store: source of the records.
        settings: everything that determines the pages, including `layouts`.
        records: rows 0 to records - 1 of the store are drawn.

    Raises:
        ConfigError: if the folder has pages of another store or other settings, or anything
            else, or another run is drawing into it.
    """

    def __init__(self, path: Path, store: Store, settings: dict[str, Any], records: int) -> None:
        self.path, self.store, self.settings, self.records = path, store, settings, records
        self.hash = settings_hash(settings)
        self._lock = _lock(path)
        try:
            self._take()
        except BaseException:
            self.close()
            raise

    def _take(self) -> None:
        """Start an empty folder, or check that its contents belong to this run."""
        if (self.path / MANIFEST).exists():
            self._check(read_manifest(self.path))
        elif any(p.name != f".{MANIFEST}.part" for p in self.path.iterdir()):
            raise ConfigError(
                "the folder holds something else", file=self.path, remedy="Name an empty folder"
            )
        else:
            self._write(complete=False, pages=0, skipped=[])

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _check(self, manifest: dict[str, Any]) -> None:
        for what, found, own in (
            ("another store", manifest["store_hash"], self.store.hash),
            ("other settings", manifest["settings_hash"], self.hash),
        ):
            if found != own:
                differ = _differences(manifest["settings"], self.settings)
                raise ConfigError(
                    f"the folder holds pages of {what}" + (f" ({differ})" if differ else ""),
                    file=self.path,
                    value=found,
                    remedy="Name another folder",
                )

    def pending(self) -> NDArray[np.bool_]:
        """Return (records, layouts) bool: the missing pages."""
        layouts = self.settings["layouts"]
        found = np.ones((self.records, len(layouts)), bool)
        for row in range(self.records):
            for i, layout in enumerate(layouts):
                found[row, i] = not is_whole(self.path, row, layout)
        return found

    def finish(self, seed_of: Any, skipped: list[dict[str, Any]]) -> int:
        """Write the index of the pages, then the manifest; returns the number of pages.

        Args:
            seed_of: (record_id, layout) -> seed of the page.
            skipped: pages that failed, each with row, record_id, layout and why.

        Raises:
            DataError: if there is no page.
            ConfigError: if a file cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as parquet

        part = self.path / f".{INDEX}.part"
        pages, writer = 0, None
        try:
            for rows in self._rows(seed_of, {(s["row"], s["layout"]) for s in skipped}):
                table = pa.Table.from_pylist(rows, schema=_schema())
                writer = writer or parquet.ParquetWriter(part, _schema())
                writer.write_table(table)
                pages += len(rows)
            if writer is None:
                raise DataError(
                    "not one page could be drawn", file=self.path, value=len(skipped),
                    remedy=skipped[0]["why"] if skipped else "",
                )  # fmt: skip
            writer.close()
            os.replace(part, self.path / INDEX)
        except OSError as error:
            raise ConfigError(
                f"cannot write the index: {error.strerror}",
                file=self.path,
                remedy="Make room and issue the same command again",
            ) from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
        self._write(complete=True, pages=pages, skipped=skipped)
        return pages

    def _rows(self, seed_of: Any, skipped: set[tuple[int, str]]) -> Iterator[list[dict[str, Any]]]:
        """Yield rows of the index, about `CHUNK` at a time."""
        records, settings = self.store.records, self.settings
        found: list[dict[str, Any]] = []
        for row in range(self.records):
            record = records.iloc[row]
            for layout in settings["layouts"]:
                if (row, layout) in skipped:
                    continue
                stem = page_stem(row, layout)
                exact = settings["backend"] == "ecgvision"
                found.append(
                    {
                        "row": row,
                        "record_id": str(record["record_id"]),
                        "patient_id": _known(record["patient_id"], str),
                        "fold": _known(record["fold"], int),
                        "layout": layout,
                        "style": settings["style"],
                        "artefact": settings["artefact"],
                        "dpi": settings["dpi"] if exact else png_dpi(self.path / f"{stem}.png"),
                        "seed": seed_of(str(record["record_id"]), layout),
                        "file": f"{stem}.png",
                        "json": f"{stem}.json",
                        "mask": f"{stem}.mask.png" if settings["masks"] else "",
                        "backend": settings["backend"],
                    }
                )
            if len(found) >= CHUNK:
                yield found
                found = []
        if found:
            yield found

    def _write(self, *, complete: bool, pages: int, skipped: list[dict[str, Any]]) -> None:
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "complete": complete,
            "store_hash": self.store.hash,
            "settings_hash": self.hash,
            "settings": self.settings,
            "counts": {"records": self.records, "pages": pages, "skipped": len(skipped)},
            "skipped": skipped,
        }
        write(self.path / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())


def _lock(path: Path) -> int | None:
    """Lock the folder until it is closed or the process ends; None on systems without `fcntl`.

    Raises:
        ConfigError: if the folder cannot be created, or another process has locked it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            return None
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(
            f"cannot be made: {error.strerror}",
            file=path,
            remedy="Name a folder that may be written",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise ConfigError(
            "another run is drawing into this folder", file=path, remedy="Wait until it ends"
        ) from error
    return handle


def _known(value: Any, kind: Callable[[Any], Any]) -> Any:
    """Convert a value by `kind`; None if the store has none."""
    import pandas as pd

    return None if pd.isna(value) else kind(value)


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"row": pa.int64(), "fold": pa.int64(), "seed": pa.int64(), "dpi": pa.float64()}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    names = [n for n in sorted({*theirs, *ours}) if theirs.get(n) != ours.get(n)]
    return ", ".join(f"{n} {theirs.get(n)!r} there, {ours.get(n)!r} asked" for n in names)
