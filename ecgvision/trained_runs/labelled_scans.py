"""A bundle's answers to a folder of labelled pictures, for external validation."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ecgvision.core.errors import DataError
from ecgvision.deploy.files import counted, expand, tell_skipped
from ecgvision.deploy.open_bundle import AnyStudent
from ecgvision.deploy.predict import predict_files
from ecgvision.deploy.predict_signal import reader_for
from ecgvision.evaluate.external import KEY, External, bring_together, read_table
from ecgvision.evaluate.metrics.operating_points import OperatingPoints

STREAM = "bundle"
OWN_POLICY = "the bundle's"


class Scans(NamedTuple):
    """Answers to pictures.

    Attributes:
        found: predictions table and facts of the records.
        refused: message for each picture that was not read, by its name.
        pictures: how many pictures there are.
    """

    found: External
    refused: dict[str, str]
    pictures: int


def read_scans(
    bundle: AnyStudent, folder: str | Path, labels: str | Path, *, key: str | None = None,
    patients: str | None = None, codes: Sequence[str] = (), common: bool = False,
    check: bool = False, threads: int = 0,
) -> Scans:  # fmt: skip
    """Let a bundle answer the pictures of a folder, and bring the labels to its answers.

    Args:
        bundle: the student; one of signals answers what the package's page reader reads.
        folder: of the pictures.
        labels: CSV file with a row for each picture; see `read_external`.
        key: column of the labels that names the picture, with or without its ending; default
            record_id, else the first.
        patients, codes, common: see `read_external`.
        check: let the package's page reader refuse pictures that are no readable page.
        threads: of ONNX Runtime.

    Raises:
        DataError: see `read_external`; also if no picture could be read.
        ImageError: for a folder without pictures.
    """
    ours = read_table(labels)
    key = key or (KEY if KEY in ours.columns else str(ours.columns[0]))
    files = expand([str(folder)])
    tell_skipped(files, sys.stderr)
    reader = reader_for(bundle, files.files, check=check, threads=threads)
    by_stem = key in ours.columns and _by_stem(ours[key].astype(str), files.files)
    rows, refused = [], {}
    shown = counted(files.files, sys.stderr)
    for answer in predict_files(bundle, shown, reader=reader):
        name = Path(answer.file).stem if by_stem else Path(answer.file).name
        if answer.error is not None:
            refused[name] = answer.error
        else:
            rows.append({key: name, **dict(zip((f"z_{c}" for c in bundle.codes), answer.logits,
                                               strict=True))})  # fmt: skip
    if not rows:
        raise DataError("no picture could be read", file=folder,
                        value=next(iter(refused.values())))  # fmt: skip
    if key in ours.columns:
        ours = ours[~ours[key].astype(str).isin(list(refused))]
    theirs = pd.DataFrame(rows).assign(_line=np.arange(1, len(rows) + 1))
    found = bring_together(theirs, ours, (folder, labels), key=key, patients=patients,
                           codes=codes or bundle.codes, common=common,
                           stream=STREAM)  # fmt: skip
    notes = found.notes
    if refused:
        some = ", ".join(list(refused)[:3])
        notes = (f"{len(refused)} of {len(files.files)} pictures were refused and are not in the "
                 f"figures: {some}{', …' if len(refused) > 3 else ''}.", *notes)  # fmt: skip
    return Scans(found._replace(notes=notes), refused, len(files.files))


def points_of(bundle: AnyStudent, codes: Sequence[str] | None = None) -> OperatingPoints:
    """Return the operating points of a bundle, or of some of its labels."""
    kept = [bundle.codes.index(code) for code in (codes or bundle.codes)]
    points = bundle.card["operating_points"]

    def some(key: str) -> tuple[float, ...]:
        return tuple(float(points[key][i]) for i in kept) if key in points else ()

    return OperatingPoints(bundle.temperature, some("thresholds"),
                           tuple(bundle.codes[i] for i in kept), slopes=some("slopes"),
                           intercepts=some("intercepts"), policy=OWN_POLICY)  # fmt: skip


def _by_stem(names: pd.Series, files: Sequence[str]) -> bool:
    """Return whether the labels name pictures without their endings."""
    known = set(names)
    whole = sum(Path(file).name in known for file in files)
    return sum(Path(file).stem in known for file in files) > whole
