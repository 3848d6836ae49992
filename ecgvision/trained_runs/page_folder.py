"""`ecgvision evaluate --pages FOLDER`: judge a page reader on a folder of real pictures."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ecgvision.core.errors import BundleError, ImageError
from ecgvision.deploy.card_file import SIGNAL, STUDENT, kind_of
from ecgvision.deploy.digitize import digitize
from ecgvision.deploy.files import counted
from ecgvision.deploy.ingest import read_page
from ecgvision.deploy.open_bundle import AnyReader, open_reader, open_student
from ecgvision.reader.judge.real_pages import (
    Read,
    judge_places,
    judge_waveform,
    lines_of,
    read_places,
    read_truth,
    summarise,
)
from ecgvision.shipped import MODELS, NAME, STUDENT_NAME, resolve_bundle
from ecgvision.trained_runs import page_labels

COLUMNS = (
    ("n", "n"), ("leads", "leads"), ("complete", "complete"), ("wrong", "wrong"),
    ("late", "late, s"), ("snr_db", "SNR, dB"), ("snr_official_db", "Challenge"),
    ("snr_kaggle_db", "Kaggle"), ("refused", "refused"), ("seconds", "s a page"),
)  # fmt: skip
"""Figures of the summary, and their headings."""


def bundle_of(run: str) -> Path:
    """Return the bundle that is meant by a run directory, a bundle's folder, or a shipped name.

    Raises:
        BundleError: if there is none.
    """
    if run in (NAME, *MODELS.values()):
        return resolve_bundle(run)
    inside = Path(run) / "bundle"
    found = inside if inside.is_dir() else Path(run)
    if not (found / "bundle.json").is_file():
        raise BundleError("no bundle", file=found,
                          remedy=f"Give {NAME}, {STUDENT_NAME}, a run or a bundle")  # fmt: skip
    return found


def judge_folder(bundle: AnyReader, folder: Path) -> list[dict[str, Any]]:
    """Return a row of figures for every picture of a folder; see `reader.judge.real_pages`."""
    pages = read_places(folder)
    shown = counted(pages, sys.stderr, least=1, name=lambda page: str(page["file"]))
    return [_judge(bundle, folder, page) for page in shown]


def report(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of all pictures and of each kind, and the rows."""
    kinds = sorted({row["kind"] for row in rows})
    return {"all": summarise(rows),
            "by_kind": {kind: summarise([row for row in rows if row["kind"] == kind])
                        for kind in kinds},
            "pages": rows}  # fmt: skip


def run(name: str, folder: Path, *, as_json: bool, threads: int = 0) -> int:
    """Judge a reader, or a student behind the package's; return the exit code."""
    path = bundle_of(name)
    if kind_of(path) in (SIGNAL, STUDENT):
        student = open_student(path, threads=threads)
        reader = open_reader(resolve_bundle(NAME), threads=threads)
        return page_labels.run(student, reader, folder, as_json=as_json)
    bundle = open_reader(path, threads=threads)
    found = report(judge_folder(bundle, folder))
    if as_json:
        print(json.dumps({"bundle": bundle.id, "folder": str(folder)} | found, indent=2))
    else:
        print("\n".join(_lines(found)))
    return 0


def _judge(bundle: AnyReader, folder: Path, page: Mapping[str, Any]) -> dict[str, Any]:
    file = folder / page["file"]
    row: dict[str, Any] = {"file": page["file"], "kind": str(page.get("kind", "other"))}
    truth = read_truth(folder, page)
    began = time.perf_counter()
    read: Read | None = None
    try:
        image = read_page(file)
        found = digitize(bundle, image, file=str(file))
    except ImageError as error:
        row["refused"] = str(error)
    else:
        signal = np.where(found.found, found.ecg.signal, np.nan)
        read = Read(signal, found.trace, found.ecg.rate, (image.shape[0], image.shape[1]))
        row["confidence"] = round(found.page, 3)
        row["layout"] = None if found.layout is None else found.layout.name
    row["is_refused"], row["seconds"] = read is None, round(time.perf_counter() - began, 3)
    if page.get("traces"):
        if read is None:
            row |= {"leads": 0.0, "complete": False}
        else:
            row |= judge_places(read, lines_of(page, read.size), bool(page.get("simultaneous")))
    if truth is not None:
        row |= ({"snr_db": 0.0, "snr_official_db": 0.0, "kaggle_ratio": 0.0} if read is None
                else judge_waveform(read, truth))  # fmt: skip
    return row


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'':<12}" + "".join(f"{heading:>11}" for _, heading in COLUMNS)
    for kind, figures in (("all", found["all"]), *found["by_kind"].items()):
        cells = (_cell(key, figures[key]) for key, _ in COLUMNS)
        yield f"{kind:<12}" + "".join(f"{cell:>11}" for cell in cells)
    yield (f"Places are known of {found['all']['n_places']} pictures, the recording of "
           f"{found['all']['n_truth']}; a refused picture counts 0 dB.")  # fmt: skip


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key == "n":
        return str(value)
    return f"{value:.1f}" if key.startswith("snr") else f"{value:.2f}"
