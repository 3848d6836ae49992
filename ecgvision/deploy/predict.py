"""Prediction of labels for picture files, for `ecgvision predict`. Base install only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.command import Interrupted
from ecgvision.core.errors import ImageError
from ecgvision.core.outputs import OutputPlan
from ecgvision.data.network_input import to_network
from ecgvision.deploy.answer_table import AnswerTable
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.digitize import digitize
from ecgvision.deploy.documents import page_name
from ecgvision.deploy.files import counted, expand, tell_skipped
from ecgvision.deploy.ingest import open_pages, read_page
from ecgvision.deploy.open_bundle import AnyReader

if TYPE_CHECKING:  # of the training stack
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Prediction:
    """A student's prediction for one picture.

    Attributes:
        file: the path as given.
        page: (height, width) of the page in pixels; None if it could not be read.
        number, pages: number of the page in its file, from 1, and how many that has.
        codes, names, thresholds: the bundle's labels and their thresholds, in its order.
        logits, probabilities, decisions: one value per label; empty if the picture could not be
            read.
        error: why the picture could not be read; None if it was.
    """

    file: str
    page: tuple[int, int] | None = None
    codes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    logits: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    decisions: tuple[bool, ...] = ()
    error: str | None = None
    number: int = 1
    pages: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as plain JSON values by label, or the error of the picture."""
        told = {"file": self.file} | self._place()
        if self.page is None:
            return told | {"error": self.error}
        positive = [c for c, yes in zip(self.codes, self.decisions, strict=True) if yes]
        return told | {
            "page": {"height": self.page[0], "width": self.page[1]},
            "logits": dict(zip(self.codes, self.logits, strict=True)),
            "probabilities": dict(zip(self.codes, self.probabilities, strict=True)),
            "positive": positive,
        }

    @property
    def name(self) -> str:
        """The file, and the page's number if the file has several."""
        return page_name(self.file, self.number - 1, self.pages)

    def _place(self) -> dict[str, int]:
        return {"page_number": self.number, "pages": self.pages} if self.pages > 1 else {}

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row per label: name, logit, probability, threshold, decision."""
        import pandas as pd

        return pd.DataFrame(
            {"name": self.names, "logit": self.logits, "probability": self.probabilities,
             "threshold": self.thresholds, "positive": self.decisions},
            index=pd.Index(self.codes, name="code"),
        )  # fmt: skip

    def plot(self) -> Figure:
        """Plot the probabilities as bars with their thresholds."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 0.6 + 0.35 * len(self.codes)), layout="constrained")
        axis = figure.subplots()
        places = range(len(self.codes))
        colours = ["tab:orange" if yes else "0.7" for yes in self.decisions]
        axis.barh(places, self.probabilities, color=colours)
        axis.plot(self.thresholds, places, "k|", markersize=14, label="threshold")
        axis.set(yticks=places, yticklabels=self.names, xlim=(0, 1), xlabel="probability")
        axis.invert_yaxis()
        axis.legend(frameon=False)
        return figure


def predict_file(
    bundle: Bundle, path: str | os.PathLike[str], *, reader: AnyReader | None = None
) -> Prediction:
    """Predict the labels of a file of one page.

    Args:
        bundle: the student.
        path: the file.
        reader: first checks that the picture is a readable page. A student alone predicts labels
            for any picture.

    Raises:
        ImageError: as `read_page`; with a reader also as `digitize`.
    """
    return predict_page(bundle, read_page(path), os.fspath(path), reader=reader)


def predict_page(
    bundle: Bundle, page: NDArray[np.uint8], file: str, *, reader: AnyReader | None = None,
    number: int = 1, pages: int = 1,
) -> Prediction:  # fmt: skip
    """Predict the labels of one page.

    Args:
        bundle, reader: as for `predict_file`.
        page: (H, W, 3) uint8 RGB.
        file: name of the file, for messages.
        number, pages: number of the page in its file, from 1, and how many that has.

    Raises:
        ImageError: with a reader, as `digitize`.
    """
    if reader is not None:
        digitize(reader, page, file=page_name(file, number - 1, pages))
    small = to_network(page, bundle.image_size)
    logits, probabilities, decisions = bundle.run(np.moveaxis(small, 2, 0)[None])
    return Prediction(
        file=file,
        number=number,
        pages=pages,
        page=(page.shape[0], page.shape[1]),
        codes=tuple(bundle.codes),
        names=tuple(bundle.names),
        thresholds=tuple(bundle.thresholds),
        logits=tuple(logits[0].tolist()),
        probabilities=tuple(probabilities[0].tolist()),
        decisions=tuple(decisions[0].tolist()),
    )


def predict_files(
    bundle: Bundle, paths: Iterable[str | os.PathLike[str]], *, reader: AnyReader | None = None
) -> Iterator[Prediction]:
    """Predict files page by page; what cannot be read gives a `Prediction` with its error."""
    for path in paths:
        file = os.fspath(path)
        try:
            document = open_pages(file)
        except ImageError as error:
            yield Prediction(file=file, error=str(error))
            continue
        count = len(document)
        for index in range(count):
            try:
                yield predict_page(bundle, document.read(index), file, reader=reader,
                                   number=index + 1, pages=count)  # fmt: skip
            except ImageError as error:
                yield Prediction(file=file, error=str(error), number=index + 1, pages=count)


def run(
    bundle: Bundle, paths: Sequence[str], *, as_json: bool = False, csv: str | None = None,
    reader: AnyReader | None = None,
) -> int:  # fmt: skip
    """Predict pictures and print the results; return the exit code.

    Predictions and the kinds of training pages go to stdout, errors and (on a terminal) a counter
    to stderr.

    Args:
        as_json: print one JSON document.
        csv: write a table instead; an interrupted one is gone on with.

    Raises:
        ImageError, OutputError: for a folder without pictures, or a table that cannot be written.
    """
    found = expand(paths)
    tell_skipped(found, sys.stderr)
    if csv is not None:
        return _write_table(bundle, found.files, csv, reader)
    answers: list[Prediction] = []
    width = max(len(code) for code in bundle.codes)
    for answer in predict_files(bundle, counted(found.files, sys.stderr), reader=reader):
        answers.append(answer)
        if answer.error is not None:
            print(f"error: {answer.error}", file=sys.stderr)
        elif not as_json:
            print(table(bundle, answer, width))
    if as_json:
        document = as_document(bundle, answers) | {"skipped": found.skipped}
        print(json.dumps(document, indent=2))
    elif any(answer.error is None for answer in answers):
        print(f"The student has learned from {bundle.learned_from_text()}. On other pages its "
              "answers may be wrong.")  # fmt: skip
    return 2 if any(answer.error is not None for answer in answers) else 0


def _write_table(bundle: Bundle, files: Sequence[str], out: str, reader: AnyReader | None) -> int:
    OutputPlan(files).add("--csv", out)
    labels = [f"{kind}_{code}" for kind in ("p", "positive") for code in bundle.codes]
    rows = AnswerTable(out, ["height", "width", *labels, "error"], bundle.id)
    if rows.done:
        print(f"{len(rows.done)} files are in {rows.part} already", file=sys.stderr)
    failed = 0
    try:
        left = [file for file in files if file not in rows.done]
        for file in counted(left, sys.stderr, name=str):
            answers = list(predict_files(bundle, [file], reader=reader))
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


def _row(answer: Prediction, labels: int) -> list[object]:
    if answer.page is None:
        return ["", "", *[""] * (2 * labels), answer.error]
    return [*answer.page, *answer.probabilities, *map(int, answer.decisions), ""]


def table(bundle: Bundle, answer: Prediction, width: int) -> str:
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
    for code, name, probability, threshold, positive in rows:
        mark = "*" if positive else " "
        lines.append(
            f"  {mark} {code:<{width}}  {probability:6.3f}  (from {threshold:.3f})  {name}"
        )
    return "\n".join(lines)


def as_document(bundle: Bundle, answers: Sequence[Prediction]) -> dict[str, Any]:
    """Return all predictions as one JSON document, with the identity of the bundle."""
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
        "results": [answer.to_dict() for answer in answers],
    }
