"""Files in, answers out: the work behind `ecgvision predict`. Base install only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecgvision.core.errors import ImageError
from ecgvision.data.network_input import to_network
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.digitize import digitize
from ecgvision.deploy.files import counted, expand
from ecgvision.deploy.ingest import read_page
from ecgvision.deploy.reader_bundle import ReaderBundle


@dataclass(frozen=True)
class Answer:
    """What a bundle says of one file.

    Attributes:
        file: the path as given.
        page: (height, width) of the picture in pixels; None where it could not be read.
        logits, probabilities, decisions: one value a label, in the bundle's order; empty where
            the picture could not be read.
        error: why not.
    """

    file: str
    page: tuple[int, int] | None = None
    logits: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    decisions: tuple[bool, ...] = ()
    error: str | None = None


def predict_file(
    bundle: Bundle, path: str | os.PathLike[str], *, reader: ReaderBundle | None = None
) -> Answer:
    """Answer one picture.

    Args:
        reader: looks first whether the picture is a page that can be read. A student has an answer
            to any picture.

    Raises:
        ImageError: if it is no picture or, where there is a reader, as `digitize`.
    """
    page = read_page(path)
    if reader is not None:
        digitize(reader, page, file=os.fspath(path))
    small = to_network(page, bundle.image_size)
    logits, probabilities, decisions = bundle.run(np.moveaxis(small, 2, 0)[None])
    return Answer(
        file=os.fspath(path),
        page=(page.shape[0], page.shape[1]),
        logits=tuple(logits[0].tolist()),
        probabilities=tuple(probabilities[0].tolist()),
        decisions=tuple(decisions[0].tolist()),
    )


def predict_files(
    bundle: Bundle, paths: Iterable[str | os.PathLike[str]], *, reader: ReaderBundle | None = None
) -> Iterator[Answer]:
    """Answer pictures one by one; a bad one gives an `Answer` with its error, the rest go on."""
    for path in paths:
        try:
            yield predict_file(bundle, path, reader=reader)
        except ImageError as error:
            yield Answer(file=os.fspath(path), error=str(error))


def run(
    bundle: Bundle, paths: Sequence[str], *, as_json: bool, reader: ReaderBundle | None = None
) -> int:
    """Print answers, and what pages the student has learned from, to stdout; errors and (on a
    terminal) a counter to stderr. Returns the exit code."""
    files = expand(paths)
    answers: list[Answer] = []
    width = max(len(code) for code in bundle.codes)
    for answer in predict_files(bundle, counted(files, sys.stderr), reader=reader):
        answers.append(answer)
        if answer.error is not None:
            print(f"error: {answer.error}", file=sys.stderr)
        elif not as_json:
            print(table(bundle, answer, width))
    if as_json:
        print(json.dumps(as_document(bundle, answers), indent=2))
    elif any(answer.error is None for answer in answers):
        print(f"The student has learned from {bundle.learned_from_text()}. On other pages its "
              "answers may be wrong.")  # fmt: skip
    return 2 if any(answer.error is not None for answer in answers) else 0


def table(bundle: Bundle, answer: Answer, width: int) -> str:
    """One file's labels, most probable first; a star marks those at or above their threshold."""
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
    lines = [answer.file]
    for code, name, probability, threshold, positive in rows:
        mark = "*" if positive else " "
        lines.append(
            f"  {mark} {code:<{width}}  {probability:6.3f}  (from {threshold:.3f})  {name}"
        )
    return "\n".join(lines)


def as_document(bundle: Bundle, answers: Sequence[Answer]) -> dict[str, Any]:
    """All answers as one JSON document, with what is needed to say which model gave them."""
    return {
        "bundle": {
            "id": bundle.id,
            "folder": str(bundle.folder),
            "scheme": bundle.card["labels"].get("scheme"),
            "label_hash": bundle.label_hash,
            "learned_from": bundle.learned_from,
            "labels": dict(zip(bundle.codes, bundle.names, strict=True)),
            "thresholds": dict(zip(bundle.codes, bundle.thresholds, strict=True)),
        },
        "results": [_entry(bundle, answer) for answer in answers],
    }


def _entry(bundle: Bundle, answer: Answer) -> dict[str, Any]:
    if answer.page is None:
        return {"file": answer.file, "error": answer.error}
    positive = [c for c, yes in zip(bundle.codes, answer.decisions, strict=True) if yes]
    return {
        "file": answer.file,
        "page": {"height": answer.page[0], "width": answer.page[1]},
        "logits": dict(zip(bundle.codes, answer.logits, strict=True)),
        "probabilities": dict(zip(bundle.codes, answer.probabilities, strict=True)),
        "positive": positive,
    }
