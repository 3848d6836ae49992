"""Prediction of labels for pictures and records, for `ecgvision predict`. Base install only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgvision.core.errors import ConfigError, ImageError, RecordError
from ecgvision.data.network_input import to_network
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.digitize import digitize
from ecgvision.deploy.files import counted, expand, tell_skipped
from ecgvision.deploy.ingest import read_page
from ecgvision.deploy.open_bundle import AnyReader, AnyStudent
from ecgvision.deploy.predict_signal import (
    Answers,
    Seen,
    is_record,
    predict_page,
    predict_record,
)
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.records.option_names import API, OptionNames

if TYPE_CHECKING:  # of the training stack
    import pandas as pd
    from matplotlib.figure import Figure


SCHEMA = 2
"""Version of the JSON document; raised when a field changes its meaning or goes."""


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

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as plain JSON values by label, or the error of the picture."""
        if self.error is not None:
            return {"file": self.file, "error": self.error}
        positive = [c for c, yes in zip(self.codes, self.decisions, strict=True) if yes]
        told: dict[str, Any] = {"file": self.file}
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
    """Predict the labels of one picture or, by a network of signals, of one record.

    Args:
        bundle: a student that looks at pictures, or a network of signals.
        path: the picture or the record.
        reader: reads pictures for a network of signals, which needs one. For a student it first
            checks that the picture is a readable page; alone, it predicts labels for any picture.
        rate, unit, orientation, options: what a record's file leaves out; as for `read_record`.

    Raises:
        ImageError: if the file is not a valid picture; with a reader also as `digitize`.
        RecordError: if the record cannot be read.
        ConfigError: if a student that looks at pictures is given a record.
    """
    file, size, seen = os.fspath(path), None, None
    answer: Answers
    if is_record(file):
        if isinstance(bundle, Bundle):
            raise ConfigError("this student looks at pictures, and this is a record", file=file,
                              remedy="Draw it, or take another bundle")  # fmt: skip
        answer, seen = predict_record(bundle, file, rate=rate, unit=unit, orientation=orientation,
                                      options=options)  # fmt: skip
    else:
        page = read_page(file)
        size = (page.shape[0], page.shape[1])
        if isinstance(bundle, SignalBundle):
            if reader is None:
                raise ConfigError("a network of signals needs a reader for pictures", file=file,
                                  remedy="Give one")  # fmt: skip
            answer, seen = predict_page(bundle, reader, page, file)
        else:
            if reader is not None:
                digitize(reader, page, file=file)
            small = to_network(page, bundle.image_size)
            logits, probabilities, decisions = bundle.run(np.moveaxis(small, 2, 0)[None])
            answer = logits[0], probabilities[0], decisions[0]
    logits, probabilities, decisions = answer
    return Prediction(
        file=file, page=size, codes=bundle.codes, names=bundle.names, thresholds=bundle.thresholds,
        logits=tuple(logits.tolist()), probabilities=tuple(probabilities.tolist()),
        decisions=tuple(decisions.tolist()), seen=seen,
    )  # fmt: skip


def predict_files(
    bundle: AnyStudent, paths: Iterable[str | os.PathLike[str]], *,
    reader: AnyReader | None = None, **record: Any,
) -> Iterator[Prediction]:  # fmt: skip
    """Predict files one by one; one that cannot be read gives a `Prediction` with its error.

    Args:
        record: what records' files leave out; see `predict_file`.
    """
    for path in paths:
        try:
            yield predict_file(bundle, path, reader=reader, **record)
        except (ImageError, RecordError) as error:
            yield Prediction(file=os.fspath(path), error=str(error))


def run(
    bundle: AnyStudent, paths: Sequence[str], *, as_json: bool, reader: AnyReader | None = None,
    **record: Any,
) -> int:  # fmt: skip
    """Predict pictures or records and print the results; return the exit code.

    Predictions and the kinds of training pages go to stdout, errors and (on a terminal) a counter
    to stderr.
    """
    found = expand(paths)
    tell_skipped(found, sys.stderr)
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
    lines = [answer.file]
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
