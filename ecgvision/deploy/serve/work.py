"""What a worker process does: open the bundles once, then answer one file at a time.

A worker reads what strangers send. It has a limit of memory, and its parent ends it when it takes
too long. It returns finished JSON, so that the parent only passes it on.
"""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import EcgVisionError
from ecgvision.deploy.bundle import Bundle, LabelBundle
from ecgvision.deploy.digitize import Digitised, digitize
from ecgvision.deploy.documents import open_document
from ecgvision.deploy.limits import Limits
from ecgvision.deploy.occlusion import explain
from ecgvision.deploy.open_bundle import AnyReader, AnyStudent, open_bundle, open_reader
from ecgvision.deploy.predict import predict_picture
from ecgvision.deploy.predict_signal import look, predict_digitised
from ecgvision.deploy.serve.flat_page import shown_page
from ecgvision.deploy.serve.problems import STATUS, as_json
from ecgvision.deploy.serve.waveform_pdf import waveform_pdf
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.records.writing import record_contents
from ecgvision.shipped import NAME, resolve_bundle

PARTS = ("labels", "support", "signal", "page", "wfdb", "csv", "pdf")
"""What an answer may hold besides figures of confidence."""

UPLOAD = "upload"
"""What a file is called in messages, whose own name is never used."""


@dataclass
class Answer:
    """The answer to one file.

    Attributes:
        status: HTTP status.
        body: JSON.
        codes: of the errors of pages.
        pages: number of pages.
        summary: of each page, for audit lines and metrics: no picture and no name.
    """

    status: int
    body: bytes
    codes: list[str] = field(default_factory=list)
    pages: int = 0
    summary: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Models:
    """Open bundles: the reader, and the student if the server has one."""

    reader: AnyReader
    student: AnyStudent | None


_models: Models | None = None


def open_models(folder: str, *, threads: int = 1) -> Models:
    """Open the server's bundle, and the package's reader if that is none.

    Raises:
        BundleError: as `open_bundle`.
    """
    opened = open_bundle(resolve_bundle(folder), threads=threads)
    if isinstance(opened, LabelBundle):
        return Models(open_reader(resolve_bundle(NAME), threads=threads), opened)
    return Models(opened, None)


def use(models: Models) -> None:
    """Answer with these bundles in this process."""
    global _models
    _models = models


def start(folder: str, memory: int) -> None:
    """Prepare a worker process: open the bundles, then limit its memory.

    Args:
        folder: of the bundle.
        memory: bytes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it ends
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cv2.setNumThreads(1)
    use(open_models(folder))
    with suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def ready() -> bool:
    """Return whether this process has opened its bundles."""
    return _models is not None


def predict(data: bytes, limits: Limits, check: bool) -> Answer:
    """Answer `POST /v1/predict`.

    Args:
        check: let the reader look first.
    """
    models = _opened()
    student = models.student
    assert student is not None  # the parent asks only where there is one

    def one(page: NDArray[np.uint8]) -> tuple[dict[str, Any], dict[str, Any]]:
        wanted = check or student.needs_reader
        found = predict_picture(student, page, UPLOAD, reader=models.reader if wanted else None)
        values = found.to_dict()
        values.pop("file")
        return values, {"positive": values["positive"]}

    return _answer(data, limits, student.id, one)


def read(data: bytes, limits: Limits, parts: Sequence[str], gain: float | None,
         rate: float | None) -> Answer:  # fmt: skip
    """Answer `POST /v1/digitize`.

    Args:
        parts: what to return besides figures of confidence, of `PARTS`.
        gain: as for `digitize`.
        rate: Hz of signal and records; None: the reader's own.
    """
    models = _opened()

    def one(page: NDArray[np.uint8]) -> tuple[dict[str, Any], dict[str, Any]]:
        found = digitize(models.reader, page, file=UPLOAD, gain=gain)
        shown = shown_page(page, found) if "page" in parts else None
        resampled = found if rate is None else found.at_rate(rate)
        values = resampled.to_dict() | _parts(resampled, models.reader, parts)
        if shown is not None:
            values["page"] = shown
        summary: dict[str, Any] = {}
        if "labels" in parts and models.student is not None:
            values["labels"] = _labels(models.student, page, found, "support" in parts)
            summary["positive"] = values["labels"].get("positive", [])
        layout = None if found.layout is None else found.layout.name
        return values, summary | {
            "confidence": round(found.page, 3), "layout": layout,
            "leads": sum(c > 0 for c in found.confidence),
        }  # fmt: skip

    return _answer(data, limits, models.reader.id, one)


def _labels(
    student: AnyStudent, page: NDArray[np.uint8], found: Digitised, support: bool
) -> dict[str, Any]:
    """Return the student's answer to what was read, or why it has none.

    Args:
        support: of a network of signals, also what speaks for each label, a second of a lead each.
    """
    more: dict[str, Any] = {}
    try:
        if student.needs_reader:
            (_, probabilities, decisions), _ = predict_digitised(student, found, page, UPLOAD)
            if support and isinstance(student, SignalBundle):
                changes = explain(student, found)
                more["support"] = {
                    code: {lead: [None if v != v else round(v, 3) for v in row]
                           for lead, row in zip(LEADS, rows, strict=True)}
                    for code, rows in zip(student.codes, changes.tolist(), strict=True)
                }  # fmt: skip
        else:
            assert isinstance(student, Bundle)  # the others need a reader
            _, probabilities, decisions = look(student, page)
    except EcgVisionError as error:
        return {"error": as_json(error)}
    return more | {
        "probabilities": dict(zip(student.codes, probabilities.tolist(), strict=True)),
        "positive": [c for c, yes in zip(student.codes, decisions.tolist(), strict=True) if yes],
    }


def _opened() -> Models:
    assert _models is not None  # `start` ran before
    return _models


def _answer(
    data: bytes, limits: Limits, bundle: str,
    one: Callable[[NDArray[np.uint8]], tuple[dict[str, Any], dict[str, Any]]],
) -> Answer:  # fmt: skip
    results: list[dict[str, Any]] = []
    summary: list[dict[str, Any]] = []
    codes: list[str] = []
    try:
        document = open_document(data, UPLOAD, limits)
    except EcgVisionError as error:
        problem = as_json(error)
        return Answer(STATUS[problem["code"]], _json({"error": problem}), [problem["code"]])
    for number in range(len(document)):
        place = {"page_number": number + 1}
        try:
            full, short = one(document.read(number))
            results.append(place | full)
            summary.append(short)
        except EcgVisionError as error:
            problem = as_json(error)
            codes.append(problem["code"])
            results.append(place | {"error": problem})
            summary.append({"error": problem["code"]})
    body: dict[str, Any] = {"bundle": bundle, "pages": len(results), "results": results}
    status = 200
    if len(codes) == len(results):  # no page was read: the file's error is the first page's
        body["error"] = results[0]["error"]
        status = STATUS[codes[0]]
    return Answer(status, _json(body), codes, len(results), summary)


def _parts(found: Digitised, reader: AnyReader, parts: Sequence[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if "signal" in parts:
        out["signal"] = {
            lead: [None if v != v else round(v, 4) for v in row]
            for lead, row in zip(LEADS, found.ecg.signal.astype(np.float64).tolist(), strict=True)
        }
    comments = [f"digitised by ecgvision, reader {reader.id}", "research use only"]
    comments += [f"confidence {lead}: {value:.3f}"
                 for lead, value in zip(LEADS, found.confidence, strict=True)]  # fmt: skip
    ecg = Ecg(found.ecg.signal, found.ecg.rate, "ecg")
    if "wfdb" in parts:
        out["wfdb"] = _base64(_zip(record_contents(ecg, "ecg", comments=comments)))
    if "csv" in parts:
        out["csv"] = _base64(next(iter(record_contents(ecg, "ecg.csv").values())))
    if "pdf" in parts:
        gain = f"{10 * found.gain:g} mm/mV at 25 mm/s"
        out["pdf"] = _base64(waveform_pdf(ecg, [
            f"ECG digitised from a picture by ecgvision (reader {reader.id}). Research use only.",
            f"Confidence of the page {found.page:.2f}. The print was taken to be at {gain}. "
            "Drawn at 25 mm/s, 10 mm/mV.",
        ]))  # fmt: skip
    return out


def _zip(contents: dict[Path, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            archive.writestr(zipfile.ZipInfo(path.name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
