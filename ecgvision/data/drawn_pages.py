"""Folder of drawn pages, as written by `python -m data_prep.render_images`.

    images.json      format, version, the store's hash, settings and their hash, counts, skipped
    pages.parquet    one row per page: record, layout, how it was drawn, its files
    pages/<layout>/<row // 1000>/<row>.png, .json (geometry) and, if requested, .mask.png

The same class reads pages of either backend (this project's renderer, ecg-image-kit).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import DataError, ImageError, LayoutError
from ecgvision.core.input_files import read_json

FORMAT = "ecgvision-images"
VERSION = 1
MANIFEST, INDEX, PAGES = "images.json", "pages.parquet", "pages"
COLUMNS = (
    "row",
    "record_id",
    "patient_id",
    "fold",
    "layout",
    "style",
    "artefact",
    "dpi",
    "seed",
    "file",
    "json",
    "mask",
    "backend",
)
"""Columns of `pages.parquet`; `artefact` and `mask` are empty if there is none."""
REMEDY = "Draw the folder again with `python -m data_prep.render_images`"


def page_stem(row: int, layout: str) -> str:
    """Return the path of a page's files within the folder, without suffix."""
    return f"{PAGES}/{layout.replace(':', '-')}/{row // 1000:05d}/{row:08d}"


def settings_hash(settings: dict[str, Any]) -> str:
    """Return 16 hex digits over all settings that determine the pages."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class DrawnPages:
    """A finished folder of pages, opened read-only; pickled as a path.

    Attributes:
        folder: path of the folder.
        manifest: content of `images.json`.
        layouts: names of the drawn layouts, in the requested order.
        store_hash: `Store.hash` of the store the pages were drawn from.

    Raises:
        DataError: if the folder is missing, is not a folder of drawn pages, is unfinished, is of
            another version, or lacks files that its index states.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        if not self.manifest["complete"]:
            raise DataError(
                "the pages are unfinished",
                file=self.folder,
                remedy="Issue the same render_images command again: it goes on where it stopped",
            )
        self.layouts: tuple[str, ...] = tuple(self.manifest["settings"]["layouts"])
        self.store_hash: str = self.manifest["store_hash"]
        self._places = {name: i for i, name in enumerate(self.layouts)}
        self._there = self._check_files()

    @property
    def hash(self) -> str:
        """16 hex digits over the store and all settings that determined the pages."""
        return settings_hash({"store": self.store_hash, "settings": self.manifest["settings_hash"]})

    def __len__(self) -> int:
        """Return the number of pages."""
        return int(self._there.sum())

    def __repr__(self) -> str:
        return f"DrawnPages({str(self.folder)!r}, {len(self)} pages of {', '.join(self.layouts)})"

    def __reduce__(self) -> tuple[Callable[..., DrawnPages], tuple[str]]:
        return DrawnPages, (str(self.folder),)

    def has(self, row: int, layout: str) -> bool:
        """Return True if the page was drawn, False if the backend failed on it (see `skipped`)."""
        place = self._place(layout)
        return 0 <= row < self._there.shape[1] and bool(self._there[place, row])

    @property
    def skipped(self) -> list[dict[str, Any]]:
        """The pages that could not be drawn: row, record_id, layout and reason."""
        return list(self.manifest["skipped"])

    def page(self, row: int, layout: str) -> NDArray[np.uint8]:
        """Return the (h, w, 3) uint8 RGB page of a store's row.

        Raises:
            LayoutError: if the layout was not drawn.
            DataError: if the row has no page.
            ImageError: if the file is no longer a readable image.
        """
        import cv2

        if not self.has(row, layout):
            raise DataError(
                f"no page of layout {layout} was drawn for this row", file=self.folder, value=row,
                remedy="See `skipped` in its images.json",
            )  # fmt: skip
        file = self.folder / f"{page_stem(row, layout)}.png"
        try:
            content = np.fromfile(file, np.uint8)
        except OSError as error:
            raise ImageError(
                f"cannot be read: {error.strerror}", file=file, remedy=REMEDY
            ) from None
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
        if image is None:
            raise ImageError("is no readable picture", file=file, remedy=REMEDY)
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), np.uint8)

    def geometry(self, row: int, layout: str) -> dict[str, Any]:
        """Return the geometry of a page: the dict of `Geometry.to_dict`, with its backend.

        Raises:
            LayoutError, DataError: see `page`.
        """
        if not self.has(row, layout):
            self.page(row, layout)  # raises the specific error
        file = self.folder / f"{page_stem(row, layout)}.json"
        try:
            found: dict[str, Any] = read_json(file)
        except (OSError, ValueError) as error:
            raise DataError(f"cannot be read ({error})", file=file, remedy=REMEDY) from None
        return found

    def _place(self, layout: str) -> int:
        if layout not in self._places:
            raise LayoutError(
                "this folder has no pages of that layout",
                file=self.folder,
                value=layout,
                remedy=f"It has {', '.join(self.layouts)}",
            )
        return self._places[layout]

    def _check_files(self) -> NDArray[np.bool_]:
        """Return (layouts, rows) bool: pages that the index states, after checking the files.

        Each folder of a thousand pages is listed once, so opening is fast.
        """
        import pyarrow.parquet as parquet

        file = self.folder / INDEX
        try:
            table = parquet.read_table(file, columns=["row", "layout", "file"])
        except Exception as error:  # pyarrow raises various exceptions for damaged files
            raise DataError(
                f"the index cannot be read ({error})", file=file, remedy=REMEDY
            ) from None
        if table.num_rows != self.manifest["counts"]["pages"]:
            raise DataError(
                "the index has another number of pages than the manifest",
                file=file, value=table.num_rows, remedy=REMEDY,
            )  # fmt: skip
        there = np.zeros((len(self.layouts), self.manifest["counts"]["records"]), bool)
        rows = table["row"].to_numpy()
        names = np.asarray(table["layout"].to_pylist(), object)
        for name, place in self._places.items():
            own = rows[names == name]
            there[place, own] = True
            for shard in np.unique(own // 1000):
                wanted = own[own // 1000 == shard]
                home = (self.folder / page_stem(int(shard) * 1000, name)).parent
                present = {p.name for p in home.iterdir()} if home.is_dir() else set()
                for row in wanted:
                    if f"{row:08d}.png" not in present or f"{row:08d}.json" not in present:
                        raise DataError(
                            "a page that the index states is missing",
                            file=home / f"{row:08d}.png",
                            remedy=REMEDY,
                        )
        return there


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return `images.json` after checking its format, version and entries.

    Raises:
        DataError: if it is missing, damaged, or of another format.
    """
    file = folder / MANIFEST
    if not folder.is_dir():
        raise DataError("there is no such folder of pages", file=folder, remedy=REMEDY)
    try:
        manifest = read_json(file)
    except FileNotFoundError:
        raise DataError(
            f"not a folder of drawn pages: {MANIFEST} is missing", file=folder, remedy=REMEDY
        ) from None
    except (ValueError, OSError) as error:
        raise DataError(f"the manifest is damaged ({error})", file=file, remedy=REMEDY) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DataError(f"this is not the manifest of {FORMAT}", file=file, remedy=REMEDY)
    if manifest.get("version") != VERSION:
        raise DataError(
            f"the pages are of another format version than {VERSION}",
            file=file, value=manifest.get("version"), remedy=REMEDY,
        )  # fmt: skip
    try:
        counts = manifest["counts"]
        sound = (
            isinstance(manifest["complete"], bool)
            and isinstance(manifest["store_hash"], str)
            and isinstance(counts["records"], int)
            and isinstance(counts["pages"], int)
            and isinstance(manifest["skipped"], list)
            and bool(manifest["settings"]["layouts"])
            and manifest["settings_hash"] == settings_hash(manifest["settings"])
        )
    except (KeyError, TypeError):
        sound = False
    if not sound:
        raise DataError("the manifest lacks an entry or was altered", file=file, remedy=REMEDY)
    return manifest
