"""Prediction of labels for pictures and records, for `ecgvision predict`. Base install only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.command import Interrupted
from ecgvision.core.errors import ConfigError, ImageError, RecordError
from ecgvision.core.outputs import OutputPlan
from ecgvision.data.network_input import to_network
from ecgvision.deploy.answer_table import AnswerTable
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.digitize import Digitised, digitize
from ecgvision.deploy.documents import page_name
from ecgvision.deploy.files import counted, expand, tell_skipped
from ecgvision.deploy.ingest import open_pages, read_page
from ecgvision.deploy.open_bundle import AnyReader, AnyStudent
from ecgvision.deploy.predict_signal import (
    Answers,
    Seen,
    is_record,
    predict_digitised,
    predict_record,
)
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.records.option_names import API, OptionNames

if TYPE_CHECKING:  # of the training stack
    import pandas as pd
    from matplotlib.figure import Figure


SCHEMA = 2
"""Version of the JSON document; raised when a field changes its meaning or goes."""


OnRead = Callable[[NDArray[np.uint8], Digitised, "Prediction"], None]
"""What is done with a page, its reading and its answer."""


@dataclass(frozen=True)
class Prediction:
    """A bundle's prediction for one picture or record.

    Attributes:
        file: the path as given.
        page: (height, width) of the picture in pixels; None of a record, or if it could not be
            read.
        codes, names, thresholds: the bundle's labels and their thresholds, in its order.
        logits, probabilities, decisions: one value per label; empty if the picture could not be
            read.
        error: why it could not be read; None if it was.
        seen: what a network of signals was shown; None of a student that looks at the picture.
        number, pages: number of the page in its file, from 1, and how many that has.
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
    seen: Seen | None = None
    number: int = 1
    pages: int = 1

    @property
    def name(self) -> str:
        """The file, and the page's number if the file has several."""
        return page_name(self.file, self.number - 1, self.pages)

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as plain JSON values by label, or the error of the picture."""
        told: dict[str, Any] = {"file": self.file}
        if self.pages > 1:
            told |= {"page_number": self.number, "pages": self.pages}
        if self.error is not None:
            return told | {"error": self.error}
        positive = [c for c, yes in zip(self.codes, self.decisions, strict=True) if yes]
        if self.page is not None:
            told["page"] = {"height": self.page[0], "width": self.page[1]}
        if self.seen is not None:
            told["read"] = self.seen.to_dict()
        return told | {
            "logits": dict(zip(self.codes, self.logits, strict=True)),
            "probabilities": dict(zip(self.codes, self.probabilities, strict=True)),
            "positive": positive,
        }

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
    bundle: AnyStudent, path: str | os.PathLike[str], *, reader: AnyReader | None = None,
    rate: float | None = None, unit: str | None = None, orientation: str | None = None,
    options: OptionNames = API,
) -> Prediction:  # fmt: skip
    """Predict the labels of a file of one page or, by a network of signals, of one record.

    Args:
        bundle: a student that looks at pictures, or a network of signals.
        path: the page or the record.
        reader: reads pictures for a network of signals, which needs one. For a student it first
            checks that the picture is a readable page; alone, it predicts labels for any picture.
        rate, unit, orientation, options: what a record's file leaves out; as for `read_record`.

    Raises:
        ImageError: as `read_page`; with a reader also as `digitize`.
        RecordError: if the record cannot be read.
        ConfigError: if a student that looks at pictures is given a record.
    """
    file = os.fspath(path)
    if not is_record(file):
        return predict_picture(bundle, read_page(file), file, reader=reader)
    if isinstance(bundle, Bundle):
        raise ConfigError("this student looks at pictures, and this is a record", file=file,
                          remedy="Draw it, or take another bundle")  # fmt: skip
    answer, seen = predict_record(bundle, file, rate=rate, unit=unit, orientation=orientation,
                                  options=options)  # fmt: skip
    return _prediction(bundle, answer, file, seen=seen)


def predict_picture(
    bundle: AnyStudent, page: NDArray[np.uint8], file: str, *, reader: AnyReader | None = None,
    number: int = 1, pages: int = 1, on_read: OnRead | None = None,
) -> Prediction:  # fmt: skip
    """Predict the labels of one page.

    Args:
        bundle, reader: as for `predict_file`.
        page: (H, W, 3) uint8 RGB.
        file: name of the file, for messages.
        number, pages: number of the page in its file, from 1, and how many that has.
        on_read: called with the page, what was read of it, and the answer of a network of signals.

    Raises:
        ImageError: with a reader, as `digitize`.
        ConfigError: if a network of signals has no reader.
    """
    name, seen = page_name(file, number - 1, pages), None
    answer: Answers
    if isinstance(bundle, SignalBundle):
        if reader is None:
            raise ConfigError("a network of signals needs a reader for pictures", file=file,
                              remedy="Give one")  # fmt: skip
        read = digitize(reader, page, file=name)
        answer, seen = predict_digitised(bundle, read, name)
    else:
        if reader is not None:
            digitize(reader, page, file=name)
        answer = look(bundle, page)
    found = _prediction(bundle, answer, file, page=(page.shape[0], page.shape[1]), seen=seen,
                        number=number, pages=pages)  # fmt: skip
    if on_read is not None and isinstance(bundle, SignalBundle):
        on_read(page, read, found)
    return found


def look(bundle: Bundle, page: NDArray[np.uint8]) -> Answers:
    """Return what a student that looks at the picture answers to (H, W, 3) uint8 RGB."""
    small = to_network(page, bundle.image_size)
    logits, probabilities, decisions = bundle.run(np.moveaxis(small, 2, 0)[None])
    return logits[0], probabilities[0], decisions[0]


def _prediction(bundle: AnyStudent, answer: Answers, file: str, **more: Any) -> Prediction:
    logits, probabilities, decisions = answer
    return Prediction(
        file=file, codes=bundle.codes, names=bundle.names, thresholds=bundle.thresholds,
        logits=tuple(logits.tolist()), probabilities=tuple(probabilities.tolist()),
        decisions=tuple(decisions.tolist()), **more,
    )  # fmt: skip


def predict_files(
    bundle: AnyStudent, paths: Iterable[str | os.PathLike[str]], *,
    reader: AnyReader | None = None, on_read: OnRead | None = None, **record: Any,
) -> Iterator[Prediction]:  # fmt: skip
    """Predict files page by page; what cannot be read gives a `Prediction` with its error.

    Args:
        on_read: as for `predict_picture`.
        record: what records' files leave out; see `predict_file`.
    """
    for path in paths:
        file = os.fspath(path)
        try:
            if is_record(file):
                yield predict_file(bundle, file, reader=reader, **record)
                continue
            document = open_pages(file)
        except (ImageError, RecordError) as error:
            yield Prediction(file=file, error=str(error))
            continue
        count = len(document)
        for number in range(1, count + 1):
            try:
                yield predict_picture(bundle, document.read(number - 1), file, reader=reader,
                                      number=number, pages=count, on_read=on_read)  # fmt: skip
            except ImageError as error:
                yield Prediction(file=file, error=str(error), number=number, pages=count)


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


def as_table(bundle: AnyStudent, answers: Sequence[Prediction]) -> pd.DataFrame:
    """Return predictions as a table with a row per file; see `systems.base.Run.predict`."""
    import pandas as pd

    rows = []
    for answer in answers:
        missing = (float("nan"),) * len(bundle.codes)
        called = [c for c, yes in zip(answer.codes, answer.decisions, strict=True) if yes]
        rows.append({
            "file": answer.file,
            **dict(zip(bundle.codes, answer.probabilities or missing, strict=True)),
            "positive": None if answer.error else ",".join(called), "error": answer.error,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=["file", *bundle.codes, "positive", "error"])


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
