"""`ecgvision evaluate STUDENT --pages FOLDER`: judge predicted labels on a folder of real pictures.

Two questions: does the network say of a picture what it says of the recording itself (where
`truth/` holds it; a student that looks at pictures is shown a clean page of that), and does it find
the labels that the table gives (`labels`, codes separated by commas)?
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import DataError, ImageError
from ecgvision.data import standard_page
from ecgvision.deploy.files import counted
from ecgvision.deploy.ingest import read_page
from ecgvision.deploy.open_bundle import AnyReader, AnyStudent
from ecgvision.deploy.predict import predict_picture
from ecgvision.deploy.predict_signal import Answers, look
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.evaluate.metrics.bootstrap import patient_draws
from ecgvision.evaluate.metrics.intervals import figure
from ecgvision.reader.judge.real_pages import TRUTH_RATE, read_places, read_truth
from ecgvision.render.draw import draw
from ecgvision.render.papers.named import paper_of

DRAWS, SEED = 2000, 0
"""Bootstrap draws over pictures for 95 % intervals; our default."""

PAPER, DPI = "kit", 100.0
"""Paper and resolution of the clean page of a recording."""

Rows = Sequence[Mapping[str, Any]]
Measure = Callable[[NDArray[np.int64]], float]


def judge_folder(bundle: AnyStudent, reader: AnyReader, folder: Path) -> list[dict[str, Any]]:
    """Return a row for every picture of a folder whose labels or recording are known.

    A row has `file`, `refused` (the reason, or None), `picture` and `recording` (probability and
    decision of each label, None where there is none) and `labels` (those of the bundle's scheme,
    None where not known).
    """
    pages = [(page, read_truth(folder, page)) for page in read_places(folder)]
    known = [(page, truth) for page, truth in pages
             if truth is not None or _labels(page, bundle.codes) is not None]  # fmt: skip
    shown = counted(known, sys.stderr, least=1, name=lambda item: str(item[0]["file"]))
    return [_judge(bundle, reader, folder, page, truth) for page, truth in shown]


def summarise(rows: Rows, codes: Sequence[str]) -> dict[str, Any]:
    """Return how far pictures and recordings agree, and how well labels are found.

    `difference` is the mean absolute difference of probabilities over pictures and labels,
    `agree` the share of equal decisions, `f1` the F1 of all labels together (micro average), with
    the counts of each label; values with 95 % intervals by bootstrap over pictures.
    """
    both = [row for row in rows if row["picture"] and row["recording"]]
    gaps = np.array([[abs(row["picture"]["probabilities"][c] - row["recording"]["probabilities"][c])
                      for c in codes] for row in both])  # fmt: skip
    same = np.array([[row["picture"]["decisions"][c] == row["recording"]["decisions"][c]
                      for c in codes] for row in both], float)  # fmt: skip
    found: dict[str, Any] = {
        "n": len(rows), "refused": sum(row["refused"] is not None for row in rows),
        "n_recording": len(both),
        "difference": _mean(gaps), "agree": _mean(same),
    }  # fmt: skip
    for kind in ("picture", "recording"):
        labelled = [row for row in rows if row["labels"] is not None and row[kind]]
        wanted = np.array([[c in row["labels"] for c in codes] for row in labelled], bool)
        called = np.array([[row[kind]["decisions"][c] for c in codes] for row in labelled], bool)
        found[f"labels_by_{kind}"] = {"n": len(labelled)} | _found(wanted, called, codes)
    return found


def run(bundle: AnyStudent, reader: AnyReader, folder: Path, *, as_json: bool) -> int:
    """Judge a student behind a reader, and print the figures; return the exit code.

    Raises:
        DataError: if the table of the folder is missing or damaged, or if nothing is known of its
            pictures.
    """
    rows = judge_folder(bundle, reader, folder)
    if not rows:
        raise DataError("neither labels nor recordings are known of the pictures",
                        file=folder)  # fmt: skip
    found = summarise(rows, bundle.codes)
    if as_json:
        head = {"bundle": bundle.id, "reader": reader.id, "folder": str(folder)}
        print(json.dumps(head | found | {"pages": rows}, indent=2))
    else:
        print("\n".join(_lines(found)))
    return 0


def _labels(page: Mapping[str, Any], codes: Sequence[str]) -> list[str] | None:
    text = page.get("labels")
    given = [part.strip() for part in text.split(",")] if isinstance(text, str) else []
    known = [code for code in given if code in codes]
    return known or None


def _judge(
    bundle: AnyStudent, reader: AnyReader, folder: Path, page: Mapping[str, Any],
    truth: NDArray[np.float64] | None,
) -> dict[str, Any]:  # fmt: skip
    file = folder / page["file"]
    row: dict[str, Any] = {"file": page["file"], "labels": _labels(page, bundle.codes),
                           "refused": None, "picture": None, "recording": None}  # fmt: skip
    try:
        found = predict_picture(bundle, read_page(file), str(file), reader=reader)
    except ImageError as error:
        row["refused"] = str(error)
    else:
        row["picture"] = _answer(bundle, found.probabilities, found.decisions)
    if truth is not None:
        _, chances, called = _of_recording(bundle, truth.astype(np.float32))
        row["recording"] = _answer(bundle, chances, called)
    return row


def _of_recording(bundle: AnyStudent, truth: NDArray[np.float32]) -> Answers:
    """Return the answer to the recording itself, or to a clean page that is drawn of it."""
    if isinstance(bundle, SignalBundle):
        value, observed = bundle.window(truth, TRUTH_RATE)
        logits, chances, called = bundle.run(value[None], observed[None])
        return logits[0], chances[0], called[0]
    paper = paper_of(PAPER, standard_page.LAYOUT, np.random.default_rng(SEED))
    page = paper.page(standard_page.LAYOUT, dpi=DPI)
    image = draw(truth, TRUTH_RATE, page, paper.style, seed=SEED, points=False).image
    if bundle.standard:
        leads = standard_page.printed_leads(page)
        image = standard_page.standard_page(image, leads, bundle.image_size)
    return look(bundle, image)


def _answer(
    bundle: AnyStudent, probabilities: Iterable[float], decisions: Iterable[bool]
) -> dict[str, dict[str, Any]]:
    return {
        "probabilities": dict(zip(bundle.codes, map(float, probabilities), strict=True)),
        "decisions": dict(zip(bundle.codes, map(bool, decisions), strict=True)),
    }


def _with_interval(count: int, measure: Measure) -> dict[str, Any]:
    """Return a measure of `count` pictures, and its percentile interval over draws of them.

    Args:
        measure: takes how often each picture counts.
    """
    if not count:
        return {"value": None, "ci95": None}
    samples = [measure(times) for times in patient_draws(count, DRAWS, SEED)]
    return figure(measure(np.ones(count, np.int64)), samples)


def _mean(values: NDArray[Any]) -> dict[str, Any]:
    """Return the mean of the values of pictures, with its interval."""
    return _with_interval(len(values), lambda times: float(times @ values.mean(1) / times.sum()))


def _found(
    wanted: NDArray[np.bool_], called: NDArray[np.bool_], codes: Sequence[str]
) -> dict[str, Any]:
    if not len(wanted):
        return {"f1": _with_interval(0, float), "per_label": {}}
    right = (wanted & called).sum(1)
    total = wanted.sum(1) + called.sum(1)

    def f1(times: NDArray[np.int64]) -> float:
        among = times @ total
        return float(2 * (times @ right) / among) if among else float("nan")

    counts = {
        code: {"right": int((wanted[:, k] & called[:, k]).sum()),
               "missed": int((wanted[:, k] & ~called[:, k]).sum()),
               "false": int((~wanted[:, k] & called[:, k]).sum())}
        for k, code in enumerate(codes)
    }  # fmt: skip
    return {"f1": _with_interval(len(wanted), f1), "per_label": counts}


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['n']} pictures, {found['refused']} refused"
    yield (f"against the recording, {found['n_recording']} pictures: probabilities differ by "
           f"{_text(found['difference'])} in the mean, {_text(found['agree'])} of the decisions "
           "agree")  # fmt: skip
    for kind, name in (("picture", "off the picture"), ("recording", "off the recording")):
        part = found[f"labels_by_{kind}"]
        yield f"labels {name}, {part['n']} pictures: F1 {_text(part['f1'])}"
        for code, counts in part["per_label"].items():
            yield (f"  {code:<8} {counts['right']} right, {counts['missed']} missed, "
                   f"{counts['false']} false")  # fmt: skip


def _text(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    low, high = figure["ci95"]
    return f"{figure['value']:.3f} ({low:.3f}-{high:.3f})"
