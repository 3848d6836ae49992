"""The command `ecgvision predict`: files to text, JSON, a table or figures. Base install only."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.command import Interrupted
from ecgvision.core.errors import ConfigError, ImageError
from ecgvision.core.outputs import OutputPlan
from ecgvision.deploy.answer_table import AnswerTable
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.digitize import Digitised
from ecgvision.deploy.files import counted, expand, tell_skipped
from ecgvision.deploy.open_bundle import AnyReader, AnyStudent
from ecgvision.deploy.predict import OnRead, predict_files
from ecgvision.deploy.prediction import Prediction
from ecgvision.deploy.signal_bundle import SignalBundle

SCHEMA = 2
"""Version of the JSON document; raised when a field changes its meaning or goes."""


def run(
    bundle: AnyStudent, paths: Sequence[str], *, as_json: bool = False, csv: str | None = None,
    explain: str | None = None, reader: AnyReader | None = None, **record: Any,
) -> int:  # fmt: skip
    """Predict pictures or records and print the results; return the exit code.

    Predictions and the kinds of training pages go to stdout, errors and (on a terminal) a counter
    to stderr.

    Args:
        as_json: print one JSON document.
        csv: write a table instead; an interrupted one is gone on with.
        explain: folder of figures of what speaks for the labels of each page.
        record: what records' files leave out; see `predict_file`.

    Raises:
        ImageError, OutputError: for a folder without pictures, or a table that cannot be written.
        ConfigError: if a student that looks at pictures is to explain itself.
    """
    found = expand(paths)
    tell_skipped(found, sys.stderr)
    if explain is not None:
        record["on_read"] = _explainer(bundle, found.files, explain)
    if csv is not None:
        return _write_table(bundle, found.files, csv, reader, record)
    answers: list[Prediction] = []
    width = max(len(code) for code in bundle.codes)
    for answer in predict_files(bundle, counted(found.files, sys.stderr), reader=reader,
                                **record):  # fmt: skip
        answers.append(answer)
        if answer.error is not None:
            print(f"error: {answer.error}", file=sys.stderr)
        elif not as_json:
            print(table(bundle, answer, width))
    if as_json:
        document = as_document(bundle, answers) | {"skipped": found.skipped}
        print(json.dumps(document, indent=2))
    elif any(answer.error is None for answer in answers):
        print(_learned_from(bundle))
    return 2 if any(answer.error is not None for answer in answers) else 0


def _write_table(
    bundle: AnyStudent, files: Sequence[str], out: str, reader: AnyReader | None,
    record: dict[str, Any],
) -> int:  # fmt: skip
    OutputPlan(files).add("--csv", out)
    labels = [f"{kind}_{code}" for kind in ("p", "positive") for code in bundle.codes]
    rows = AnswerTable(out, ["height", "width", *labels, "error"], bundle.id)
    if rows.done:
        print(f"{len(rows.done)} files are in {rows.part} already", file=sys.stderr)
    failed = 0
    try:
        left = [file for file in files if file not in rows.done]
        for file in counted(left, sys.stderr, name=str):
            answers = list(predict_files(bundle, [file], reader=reader, **record))
            failed += sum(answer.error is not None for answer in answers)
            rows.add(file, [_row(answer, len(bundle.codes)) for answer in answers])
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: the same command goes on from {rows.part}") from None
    finally:
        rows.close()
    rows.finish()
    print(f"written: {out}", file=sys.stderr)
    if failed:
        print(f"error: {failed} pages could not be read; the column error says why",
              file=sys.stderr)  # fmt: skip
    return 2 if failed else 0


def _explainer(bundle: AnyStudent, files: Sequence[str], folder: str) -> OnRead:
    """Return what writes the figures of a page: of its positive labels, or of its likeliest."""
    from ecgvision.deploy.occlusion import draw_support, explain, figure_name

    if not isinstance(bundle, SignalBundle):
        raise ConfigError("--explain is of a network of signals, and this student looks at the "
                          "picture", value=bundle.id, remedy="Leave --bundle out")  # fmt: skip
    stems: dict[str, str] = {}
    for file in files:
        if (other := stems.setdefault(Path(file).stem, file)) != file:
            raise ImageError("two files would both be explained under one name", file=file,
                             value=other, remedy="Rename one of them")  # fmt: skip
    plan = OutputPlan(files, make_folders=True)

    def write(page: NDArray[np.uint8], read: Digitised, answer: Prediction) -> None:
        support = explain(bundle, read)
        chosen = np.flatnonzero(answer.decisions)
        contents = {}
        for label in chosen if len(chosen) else [int(np.argmax(answer.probabilities))]:
            name = figure_name(answer.file, answer.number, answer.pages, bundle.codes[label])
            drawn = draw_support(page, read, support[label])
            _, data = cv2.imencode(".jpg", np.ascontiguousarray(drawn[:, :, ::-1]))
            contents[plan.add("--explain", Path(folder) / name)] = data.tobytes()
        plan.write(contents)

    return write


def _row(answer: Prediction, labels: int) -> list[object]:
    size = ("", "") if answer.page is None else answer.page
    if answer.error is not None:
        return [*size, *[""] * (2 * labels), answer.error]
    return [*size, *answer.probabilities, *map(int, answer.decisions), ""]


def _learned_from(bundle: AnyStudent) -> str:
    if isinstance(bundle, Bundle):
        return (f"The student has learned from {bundle.learned_from_text()}. On other pages its "
                "answers may be wrong.")  # fmt: skip
    return ("The network has learned from 12-lead records, partly hidden as pages hide them. For "
            "others, of children or with a pacemaker, its answers may be wrong.")  # fmt: skip


def table(bundle: AnyStudent, answer: Prediction, width: int) -> str:
    """Format the labels of a file, most probable first; a star marks the positive ones."""
    rows = sorted(
        zip(
            bundle.codes,
            bundle.names,
            answer.probabilities,
            bundle.thresholds,
            answer.decisions,
            strict=True,
        ),
        key=lambda row: -row[2],
    )
    lines = [answer.name]
    if answer.seen is not None:
        lines.append(f"    read: {answer.seen}")
    for code, name, probability, threshold, positive in rows:
        mark = "*" if positive else " "
        lines.append(
            f"  {mark} {code:<{width}}  {probability:6.3f}  (from {threshold:.3f})  {name}"
        )
    return "\n".join(lines)


def as_document(bundle: AnyStudent, answers: Sequence[Prediction]) -> dict[str, Any]:
    """Return all predictions as one JSON document, with the identity of the bundle."""
    return {
        "schema": SCHEMA,
        "bundle": {
            "id": bundle.id,
            "folder": str(bundle.folder),
            "scheme": bundle.card["labels"].get("scheme"),
            "label_hash": bundle.label_hash,
            "learned_from": bundle.learned_from,
            "labels": dict(zip(bundle.codes, bundle.names, strict=True)),
            "thresholds": dict(zip(bundle.codes, bundle.thresholds, strict=True)),
        },
        "results": [answer.to_dict() for answer in answers],
    }
