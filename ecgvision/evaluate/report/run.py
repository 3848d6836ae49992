"""report.html of a run: metrics, curves, calibration and example pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgvision.core.errors import DataError
from ecgvision.evaluate.assessment.assess import Assessment
from ecgvision.evaluate.metrics import curves
from ecgvision.evaluate.predictions import (
    codes_of,
    probabilities_of,
    select,
    targets_of,
    validate,
)
from ecgvision.evaluate.report import figures
from ecgvision.evaluate.report.assessed import assessed_values, drawings
from ecgvision.evaluate.report.examples import example_values
from ecgvision.evaluate.report.html import svg_figure, thousands, write_page
from ecgvision.evaluate.report.model_card import Section

TEMPLATE = Path(__file__).with_name("run.html.j2")

COLUMNS = {"auroc": "AUROC", "auprc": "AUPRC", "f1": "F1", "precision": "Precision",
           "recall": "Recall"}  # fmt: skip


def write_report(
    path: str | Path,
    *,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    predictions: pd.DataFrame,
    history: pd.DataFrame | None,
    examples: Sequence[Mapping[str, Any]],
    draws: int = curves.BAND_DRAWS,
    assessment: Assessment | None = None,
    title: str | None = None,
    card: Sequence[Section] = (),
) -> dict[str, str]:
    """Write the report; the file appears whole or not at all.

    Args:
        path: the file.
        config: the run's configuration, plain containers.
        metrics: content of metrics.json.
        predictions: the run's table with its `p_` columns; its test rows are shown.
        history: one row for each epoch, or several, which are merged: epoch, train/loss, val/loss,
            val/<stream>_auroc, lr and others. Columns that are there are plotted.
        examples: pages to show: {"image": uint8 RGB (H, W, 3), "record_id", and optionally
            "layout" and "artefact", which choose among the record's answers, and "text", a
            sentence below the answers}.
        draws: bootstrap draws for the bands of the curves.
        assessment: decisions, calibration and subgroups; None leaves them out.
        title: of the page; default: the experiment's name.
        card: the model card, see `model_card.sections`; empty: none.

    Returns:
        Its figures of AUROC and of the assessment as SVG text, by a name for a file.

    Raises:
        DataError: if the table has no probabilities, or no test rows of a stream in the metrics.
    """
    validate(predictions)
    if f"p_{codes_of(predictions)[0]}" not in predictions.columns:
        raise DataError("the report needs p_ columns", remedy="Call operating_points.apply first")
    streams = [key for key in metrics["test"] if "@" not in key]
    tables = {s: select(predictions, split="test", stream=s) for s in streams}
    if empty := [s for s, t in tables.items() if t.empty]:
        raise DataError("metrics name streams without test rows", value=empty)
    auroc = figures.intervals(metrics["test"], metrics["labels"])
    drawn = {} if assessment is None else drawings(assessment)
    write_page(
        path,
        TEMPLATE,
        title=title or f"{metrics.get('exp') or 'ecgvision'}: test report",
        assessment=None if assessment is None else assessed_values(assessment, drawn),
        facts=_facts(metrics),
        skipped=metrics.get("skipped") or [],
        columns=COLUMNS,
        colours=figures.colours(streams),
        test=metrics["test"],
        intervals=svg_figure(
            auroc,
            "AUROC by label and stream, with 95 % intervals over patients.",
        ),
        by_label={code: _label(c, code, metrics, tables)
                  for c, code in enumerate(metrics["labels"])},
        curves=_curves(tables, draws),
        reliability=svg_figure(
            figures.reliability(tables),
            "All labels pooled, in bins of equal numbers of answers. On the dotted line, 70 % of "
            "the answers with a probability of 70 % are positive. ECE is the mean over labels.",
        ),
        training=None if history is None else svg_figure(figures.training(history), "By epoch."),
        examples=example_values(examples, tables, metrics),
        card=card,
        config=config,
    )  # fmt: skip
    return {"auroc": auroc} | {
        f"{name}-{stream}": svg
        for stream, named in drawn.items() for name, svg in named.items() if svg is not None
    }  # fmt: skip


def _facts(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and text of the boxes below the title; those without a text are left out."""
    data = metrics.get("data", {})
    pairs = [("data", data.get("name", "")), ("labels", str(len(metrics["labels"])))]
    pairs += [(f"{k} records", thousands(data[k])) for k in ("train", "val", "test") if k in data]
    if seconds := metrics.get("wall_seconds"):
        minutes, rest = divmod(round(seconds), 60)
        pairs.append(("wall time", f"{minutes} min {rest} s" if minutes else f"{rest} s"))
    pairs.append(("code", metrics.get("code", "")))
    return [pair for pair in pairs if pair[1] != ""]


def _label(
    c: int, code: str, metrics: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> list[dict[str, Any]]:
    """Rows of one label: of each stream its figures, and the counts TP, FP, FN and TN."""
    rows = []
    for stream, answers in tables.items():
        found = metrics["test"][stream]["per_class"][code]
        predicted = probabilities_of(answers)[:, c] >= found["threshold"]
        y = targets_of(answers)[:, c] == 1
        counts = (predicted & y, predicted & ~y, ~predicted & y, ~predicted & ~y)
        rows.append({"stream": stream, "found": found,
                     "counts": [int(np.count_nonzero(n)) for n in counts]})  # fmt: skip
    return rows


def _curves(tables: Mapping[str, pd.DataFrame], draws: int) -> dict[str, str] | None:
    answers = next(iter(tables.values()))
    codes = figures.shown_codes(answers)
    caption = ("Left ROC, right precision and recall. Each point of a band holds 95 % of the "
               "bootstrap draws of patients.")  # fmt: skip
    if len(codes) < len(codes_of(answers)):
        caption += f" The {len(codes)} labels with most positives are shown."
    return svg_figure(figures.roc_and_pr(tables, codes, draws), caption)
