"""Digitisation of picture files to records, for `ecgvision digitize`. Base install only."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import EcgVisionError, ImageError, RecordError
from ecgvision.core.outputs import OutputPlan
from ecgvision.deploy.digitize import Digitised, digitize
from ecgvision.deploy.documents import Document, page_name, page_place
from ecgvision.deploy.files import counted, expand, tell_skipped
from ecgvision.deploy.ingest import open_pages
from ecgvision.deploy.open_bundle import AnyReader
from ecgvision.records.writing import check_path, record_contents, record_paths

FORMATS = ("wfdb", "csv")
PICTURES = (".png", ".jpg", ".jpeg")


class Job(NamedTuple):
    """One file, and the paths of its record and its figure; None: not written."""

    file: str
    out: str | None
    figure: str | None


def run(
    bundle: AnyReader, paths: Sequence[str], *, out: str | None = None,
    figure: str | None = None, form: str | None = None, as_json: bool = False,
    gain: float | None = None, rate: float | None = None,
) -> int:  # fmt: skip
    """Digitise pictures, write the outputs, print a summary of each; return the exit code.

    With several pages, one that cannot be read is reported, and the others are still read.

    Args:
        paths: pictures, or folders of pictures.
        out, figure: record and figure of a single picture; for several pictures their folders.
        form: format of records in a folder, one of `FORMATS`; None: WFDB.
        as_json: print JSON instead of text.
        gain: gain of all pictures, see `digitize`.
        rate: sampling rate of the records in Hz; None: the reader's own.

    Raises:
        ImageError, RecordError, OutputError: for invalid paths, or if a single picture cannot be
            read; nothing is written then.
    """
    if len(paths) == 1 and not Path(paths[0]).is_dir():
        if form is not None:
            raise RecordError("--format is of many pictures", value=form,
                              remedy="Of one, the suffix of --out tells: .csv or none")  # fmt: skip
        job = Job(paths[0], out, figure)
        _check(job)
        return _one_file(bundle, job, outputs(paths, [job]), as_json, gain, rate)
    found = expand(paths)
    files = found.files
    jobs = plan(files, out, figure, FORMATS[0] if form is None else form)
    writing = outputs(files, jobs)
    tell_skipped(found, sys.stderr)
    results: list[dict[str, Any]] = []
    for job in counted(jobs, sys.stderr, least=1, name=lambda job: job.file):
        for about in _told(bundle, job, writing, gain, rate):
            results.append(about)
            _show(about, as_json)
    failed = sum("error" in about for about in results)
    if as_json:
        print(json.dumps({"results": results, "skipped": found.skipped}, indent=2))
    else:
        print(f"{len(results) - failed} of {len(results)} pages read")
    return 2 if failed else 0


def _one_file(
    bundle: AnyReader, job: Job, plan: OutputPlan, as_json: bool, gain: float | None,
    rate: float | None,
) -> int:  # fmt: skip
    document = open_pages(job.file)
    if len(document) == 1:
        about = _do(bundle, job, document, 0, plan, gain, rate)
        print(json.dumps(about, indent=2) if as_json else _lines(about))
        return 0
    results = []
    for about in _pages(bundle, job, document, plan, gain, rate):
        results.append(about)
        _show(about, as_json)
    if as_json:
        print(json.dumps({"results": results, "skipped": []}, indent=2))
    return 2 if any("error" in about for about in results) else 0


def _show(about: dict[str, Any], as_json: bool) -> None:
    if "error" in about:
        print(f"error: {about['error']}", file=sys.stderr)
    elif not as_json:
        print(_lines(about))


def plan(files: Sequence[str], out: str | None, figure: str | None, form: str) -> list[Job]:
    """Return the jobs for several pictures; outputs are named after their picture.

    Characters that are not allowed in WFDB names become underscores.

    Raises:
        ImageError, RecordError: if an output folder is a file, or two pictures would have the same
            name.
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
    return jobs


def _check(job: Job) -> None:
    if job.out is not None:
        check_path(job.out)
    if job.figure is not None and Path(job.figure).suffix.lower() not in PICTURES:
        raise ImageError("a figure is a .png or .jpg", file=job.figure)


def outputs(files: Sequence[str], jobs: Sequence[Job]) -> OutputPlan:
    """Return the plan of everything that the jobs write.

    Raises:
        OutputError: if an output is a picture that is read, or another output.
    """
    found = OutputPlan(files, make_folders=True)
    for job in jobs:
        _add(found, job)
    return found


def _add(plan: OutputPlan, job: Job) -> None:
    for path in () if job.out is None else record_paths(job.out):
        plan.add("--out", path)
    if job.figure is not None:
        plan.add("--figure", job.figure)


def _told(
    bundle: AnyReader, job: Job, plan: OutputPlan, gain: float | None, rate: float | None
) -> Iterator[dict[str, Any]]:
    try:
        document = open_pages(job.file)
    except EcgVisionError as error:
        yield {"file": job.file, "error": str(error)}
        return
    yield from _pages(bundle, job, document, plan, gain, rate)


def _pages(
    bundle: AnyReader, job: Job, document: Document, plan: OutputPlan, gain: float | None,
    rate: float | None,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Digitise a file page by page; outputs of several pages have the page's number in the name."""
    for page in range(len(document)):
        place = {"file": job.file} | page_place(page, len(document))
        try:
            own = job if len(document) == 1 else _of_page(job, page + 1, plan)
            yield _do(bundle, own, document, page, plan, gain, rate)
        except EcgVisionError as error:
            yield place | {"error": str(error)}


def _of_page(job: Job, number: int, plan: OutputPlan) -> Job:
    """Return the job of one page of several: its outputs end in `-p` and the page's number.

    Raises:
        OutputError: if such an output cannot be written.
    """

    def named(path: str | None) -> str | None:
        if path is None:
            return None
        file = Path(path)
        suffix = file.suffix if file.suffix.lower() in (*PICTURES, ".csv") else ""
        return str(file.with_name(f"{file.name.removesuffix(suffix)}-p{number}{suffix}"))

    own = Job(job.file, named(job.out), named(job.figure))
    _add(plan, own)
    return own


def _do(
    bundle: AnyReader, job: Job, document: Document, page: int, plan: OutputPlan,
    gain: float | None, rate: float | None,
) -> dict[str, Any]:  # fmt: skip
    image = document.read(page)
    name = page_name(job.file, page, len(document))
    found = digitize(bundle, image, file=name, gain=gain)
    if rate is not None:
        found = found.at_rate(rate)
    about: dict[str, Any] = {"file": job.file} | page_place(page, len(document))
    about |= summary(found, bundle, job.file)
    contents: dict[Path, bytes] = {}
    if job.figure is not None:
        contents[Path(job.figure)] = _figure(job.figure, image, found)
        about["figure"] = job.figure
    if job.out is not None:
        record = record_contents(found.ecg, job.out, comments=_comments(about, bundle))
        contents |= record
        about["written"] = sorted(map(str, record), key=lambda name: not name.endswith(".hea"))
    plan.write(contents)
    return about


def _comments(about: dict[str, Any], bundle: AnyReader) -> list[str]:
    source = Path(about["file"]).name
    comments = [f"digitised by ecgvision from {source}, reader {bundle.id}"]
    comments.append(f"gain taken as {_gain(about)}")
    return comments + [f"confidence {lead}: {about['leads'][lead]['confidence']}" for lead in LEADS]


def summary(found: Digitised, bundle: AnyReader, file: str) -> dict[str, Any]:
    """Return the result as plain JSON values, with the file and the id of the bundle."""
    return {"file": file, "bundle": bundle.id} | found.to_dict()


def _figure(path: str, image: NDArray[np.uint8], found: Digitised) -> bytes:
    """Return the picture with the traces found, encoded by the suffix of `path`."""
    drawn = found.draw_on(image)
    done, data = cv2.imencode(Path(path).suffix, np.ascontiguousarray(drawn[:, :, ::-1]))
    if not done:
        raise ImageError("the figure cannot be encoded", file=path)
    return data.tobytes()


def _lines(about: dict[str, Any]) -> str:
    place = page_name(about["file"], about.get("page_number", 1) - 1, about.get("pages", 1))
    lines = [f"{place}  confidence {about['confidence']:.2f}, taken to be printed at "
             f"{_gain(about)} ({about['gain_confidence']:.2f})"]  # fmt: skip
    if "layout" in about:
        lines.append(f"  {_layout(about['layout'])}")
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


def _layout(about: dict[str, Any]) -> str:
    parts = [f"layout {about['name']} ({about['probability']:.2f})"]
    if about["assumed"]:
        parts.append("assumed, as hardly any name of a lead could be read")
    if about["turned"]:
        parts.append(f"turned by {90 * about['turned']} degrees to the left")
    if not about["grid"]:
        parts.append("no grid was seen, so that times and amplitudes are a guess")
    return "; ".join(parts)


def _gain(about: dict[str, Any]) -> str:
    """Format the gain at the usual speed; only the ratio of gain to speed can be measured."""
    gain = about["gain_mm_per_mv_at_25_mm_per_s"]
    other = f", or {2 * gain:g} at 50" if gain <= 10 else ""
    return f"{gain:g} mm/mV at 25 mm/s{other}"
