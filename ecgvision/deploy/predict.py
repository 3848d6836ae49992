"""Prediction of labels for pictures and records. Base install only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError, ImageError, RecordError
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.digitize import Digitised, digitize
from ecgvision.deploy.documents import page_name
from ecgvision.deploy.ingest import open_pages, read_page
from ecgvision.deploy.open_bundle import AnyReader, AnyStudent
from ecgvision.deploy.predict_signal import (
    Answers,
    is_record,
    look,
    predict_digitised,
    predict_record,
)
from ecgvision.deploy.prediction import Prediction
from ecgvision.records.option_names import API, OptionNames

OnRead = Callable[[NDArray[np.uint8], Digitised, Prediction], None]
"""What is done with a page, its reading and its answer."""


def predict_file(
    bundle: AnyStudent, path: str | os.PathLike[str], *, reader: AnyReader | None = None,
    rate: float | None = None, unit: str | None = None, orientation: str | None = None,
    options: OptionNames = API,
) -> Prediction:  # fmt: skip
    """Predict the labels of a file of one page or, by a network of signals, of one record.

    Args:
        bundle: a student that looks at pictures, or a network of signals.
        path: the page or the record.
        reader: reads pictures for a bundle that needs it. For any other student it first checks
            that the picture is a readable page; alone, that predicts labels for any picture.
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
        on_read: called with the page, what was read of it, and the answer behind the reader.

    Raises:
        ImageError: with a reader, as `digitize`.
        ConfigError: if the bundle needs a reader and has none.
    """
    name, seen = page_name(file, number - 1, pages), None
    answer: Answers
    read = None
    if reader is not None:
        read = digitize(reader, page, file=name)
    elif bundle.needs_reader:
        raise ConfigError("this bundle needs a page reader for pictures", file=file,
                          remedy="Give one")  # fmt: skip
    if bundle.needs_reader and read is not None:
        answer, seen = predict_digitised(bundle, read, page, name)
    else:
        assert isinstance(bundle, Bundle)  # the others need a reader
        answer = look(bundle, page)
    found = _prediction(bundle, answer, file, page=(page.shape[0], page.shape[1]), seen=seen,
                        number=number, pages=pages)  # fmt: skip
    if on_read is not None and read is not None and bundle.needs_reader:
        on_read(page, read, found)
    return found


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
