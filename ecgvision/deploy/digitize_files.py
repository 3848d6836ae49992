"""Pictures in, records out: the work behind `ecgvision digitize`. Base install only."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import EcgVisionError, ImageError, RecordError
from ecgvision.deploy.digitize import Digitised, digitize
from ecgvision.deploy.files import counted, expand
from ecgvision.deploy.ingest import read_page
from ecgvision.deploy.reader_bundle import ReaderBundle
from ecgvision.reader.overlay import draw_reading
from ecgvision.records.writing import check_path, write_record

FORMATS = ("wfdb", "csv")
PICTURES = (".png", ".jpg", ".jpeg")


class Job(NamedTuple):
    """One picture, and where its record and its figure go; None: nowhere."""

    file: str
    out: str | None
    figure: str | None


def run(
    bundle: ReaderBundle, paths: Sequence[str], *, out: str | None = None,
    figure: str | None = None, form: str | None = None, as_json: bool = False,
    gain: float | None = None,
) -> int:  # fmt: skip
    """Read pictures, write what was asked for, print a summary of each; the exit code.

    One picture that cannot be read does not keep the others from being read.

    Args:
        paths: pictures, or folders of pictures.
        out, figure: of one picture the record and the drawing, of more the folders of them.
        form: of records in a folder, one of `FORMATS`; None: WFDB.
        gain: of all pictures, see `digitize`.

    Raises:
        ImageError, RecordError: for paths that make no sense, or, where there is one picture, if it
            cannot be read; then nothing was written.
    """
    if len(paths) == 1 and not Path(paths[0]).is_dir():
        if form is not None:
            raise RecordError("--format is of many pictures", value=form,
                              remedy="Of one, the suffix of --out tells: .csv or none")  # fmt: skip
        job = Job(paths[0], out, figure)
        _check(job)
        about = _do(bundle, job, gain)
        print(json.dumps(about, indent=2) if as_json else _lines(about))
        return 0
    jobs = plan(expand(paths), out, figure, FORMATS[0] if form is None else form)
    results: list[dict[str, Any]] = []
    for job in counted(jobs, sys.stderr, least=1):
        about = _told(bundle, job, gain)
        results.append(about)
        if "error" in about:
            print(f"error: {about['error']}", file=sys.stderr)
        elif not as_json:
            print(_lines(about))
    failed = sum("error" in about for about in results)
    if as_json:
        print(json.dumps({"results": results}, indent=2))
    else:
        print(f"{len(results) - failed} of {len(results)} pictures read")
    return 2 if failed else 0


def plan(files: Sequence[str], out: str | None, figure: str | None, form: str) -> list[Job]:
    """What is made of many pictures, each named as its picture is.

    A character that a WFDB name cannot have becomes an underscore.

    Raises:
        ImageError, RecordError: if a folder is a file, or two pictures would have one name.
    """
    for folder in (out, figure):
        if folder is not None and Path(folder).exists() and not Path(folder).is_dir():
            raise RecordError("of many pictures, --out and --figure are folders", file=folder)
    jobs, taken = [], dict[str, str]()
    for file in files:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", Path(file).stem)
        if name in taken and (out is not None or figure is not None):
            raise ImageError(f"two pictures would both be written as {name}", file=file,
                             value=taken[name], remedy="Rename one of them")  # fmt: skip
        taken[name] = file
        record = name + (".csv" if form == "csv" else "")
        jobs.append(Job(file, None if out is None else str(Path(out) / record),
                        None if figure is None else str(Path(figure) / f"{name}.jpg")))  # fmt: skip
    _keep(files, jobs)
    return jobs


def _check(job: Job) -> None:
    if job.out is not None:
        check_path(job.out)
    if job.figure is not None and Path(job.figure).suffix.lower() not in PICTURES:
        raise ImageError("a figure is a .png or .jpg", file=job.figure)
    _keep([job.file], [job])


def _keep(files: Sequence[str], jobs: Sequence[Job]) -> None:
    """Refuse to draw over a picture that is to be read."""
    given = {Path(file).resolve() for file in files}
    for job in jobs:
        if job.figure is not None and Path(job.figure).resolve() in given:
            raise ImageError("the figure would take the picture's place", file=job.figure,
                             remedy="Give --figure another name or folder")  # fmt: skip


def _told(bundle: ReaderBundle, job: Job, gain: float | None) -> dict[str, Any]:
    try:
        return _do(bundle, job, gain)
    except EcgVisionError as error:
        return {"file": job.file, "error": str(error)}


def _do(bundle: ReaderBundle, job: Job, gain: float | None) -> dict[str, Any]:
    image = read_page(job.file)
    found = digitize(bundle, image, file=job.file, gain=gain)
    about = summary(found, bundle, job.file)
    try:
        with _figure(job.figure, image, found):  # its place is tried before the record is written
            if job.figure is not None:
                about["figure"] = job.figure
            if job.out is not None:
                about["written"] = _write(job.out, found, about, bundle)
    except OSError as error:
        raise RecordError(f"cannot write: {error.strerror}",
                          file=error.filename or job.out or job.figure,
                          remedy="Name a place that may be written") from None  # fmt: skip
    return about


def _write(out: str, found: Digitised, about: dict[str, Any], bundle: ReaderBundle) -> list[str]:
    source = Path(about["file"]).name
    comments = [f"digitised by ecgvision from {source}, reader {bundle.id}"]
    comments.append(f"gain taken as {_gain(about)}")
    comments += [f"confidence {lead}: {about['leads'][lead]['confidence']}" for lead in LEADS]
    return [str(path) for path in write_record(found.ecg, out, comments=comments)]


def summary(found: Digitised, bundle: ReaderBundle, file: str) -> dict[str, Any]:
    """What was read as plain JSON values: of each lead the seconds found, and how sure."""
    leads = {}
    for i, lead in enumerate(LEADS):
        shown = np.flatnonzero(found.found[i])
        if not len(shown):
            leads[lead] = {"confidence": 0.0, "seconds": 0.0}
            continue
        leads[lead] = {
            "confidence": round(found.confidence[i], 3),
            "seconds": round(len(shown) / found.ecg.rate, 2),
            "from": round(float(shown[0]) / found.ecg.rate, 2),
            "to": round(float(shown[-1] + 1) / found.ecg.rate, 2),
            "expected_error_mv": round(found.error_mv[i], 3),
        }
    return {
        "file": file, "bundle": bundle.id, "rate": found.ecg.rate,
        "samples": found.ecg.signal.shape[1], "confidence": round(found.page, 3),
        "gain_mm_per_mv_at_25_mm_per_s": 10 * found.gain,
        "gain_confidence": round(found.gain_confidence, 3), "leads": leads,
    }  # fmt: skip


@contextmanager
def _figure(path: str | None, image: NDArray[np.uint8], found: Digitised) -> Iterator[None]:
    """Draw what was read; the figure appears when the block has ended normally."""
    if path is None:
        yield
        return
    share = found.trace / (image.shape[1], image.shape[0])
    drawn = draw_reading(image, share, found.found, LEADS)
    done, data = cv2.imencode(Path(path).suffix, np.ascontiguousarray(drawn[:, :, ::-1]))
    if not done:
        raise ImageError("the figure cannot be encoded", file=path)
    with atomic_file(path) as part:
        part.write_bytes(data.tobytes())
        yield


def _lines(about: dict[str, Any]) -> str:
    lines = [f"{about['file']}  confidence {about['confidence']:.2f}, taken to be printed at "
             f"{_gain(about)} ({about['gain_confidence']:.2f})"]  # fmt: skip
    for lead, told in about["leads"].items():
        if not told["seconds"]:
            lines.append(f"  {lead:<4} not found")
            continue
        lines.append(
            f"  {lead:<4} {told['from']:5.2f} to {told['to']:5.2f} s   confidence "
            f"{told['confidence']:.2f}   expected error {told['expected_error_mv']:.3f} mV"
        )
    for key in ("written", "figure"):
        if key in about:
            lines.append(f"{key}: {about[key] if key == 'figure' else ' '.join(about[key])}")
    return "\n".join(lines)


def _gain(about: dict[str, Any]) -> str:
    """Of a gain only its ratio to the speed is seen; it is told as of the usual speed."""
    gain = about["gain_mm_per_mv_at_25_mm_per_s"]
    other = f", or {2 * gain:g} at 50" if gain <= 10 else ""
    return f"{gain:g} mm/mV at 25 mm/s{other}"
