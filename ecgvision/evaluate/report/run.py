"""report.html: what a run found, in one file that refers to nothing outside itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.errors import DataError
from ecgvision.evaluate.metrics import curves
from ecgvision.evaluate.predictions import (
    codes_of,
    probabilities_of,
    select,
    targets_of,
    validate,
)
from ecgvision.evaluate.report import figures
from ecgvision.evaluate.report.examples import examples_section
from ecgvision.evaluate.report.html import Markup, facts, figure, page, table, tag

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
) -> None:
    """Writes the report; the file appears whole or not at all.

    Args:
        path: where.
        config: the run's configuration, plain containers.
        metrics: the object of metrics.json.
        predictions: the run's table with its `p_` columns; test rows are shown.
        history: one row an epoch (several are merged): epoch, train/loss, val/loss,
            val/<stream>_auroc, lr...; what is there is plotted.
        examples: pages to show: {"image": uint8 RGB (H, W, 3), "record_id", and optionally
            "layout" and "artefact" (which of the record's answers to show) and "text" (a sentence
            below it)}.
        draws: bootstrap draws of the curves' bands.

    Raises:
        DataError: if the table has no probabilities, or none of a stream that metrics names.
    """
    validate(predictions)
    if f"p_{codes_of(predictions)[0]}" not in predictions.columns:
        raise DataError("the report needs p_ columns", remedy="Call operating_points.apply first")
    streams = [key for key in metrics["test"] if "@" not in key]
    tables = {s: select(predictions, split="test", stream=s) for s in streams}
    if empty := [s for s, t in tables.items() if t.empty]:
        raise DataError("metrics name streams without test rows", value=empty)
    title = f"{metrics.get('exp') or 'ecgvision'}: test report"
    document = page(
        title,
        _head(title, metrics),
        _headline(metrics),
        _by_class(metrics, tables),
        _curves(tables, draws),
        _calibration(tables),
        _training(history),
        examples_section(examples, tables, metrics),
        _configuration(config),
    )
    with atomic_file(path) as part:
        part.write_text(document, encoding="utf-8")


def _number(figure: Mapping[str, Any]) -> Markup:
    """0.934 with its interval in small print."""
    if figure["value"] is None:
        return tag("small", "not defined")
    low, high = figure["ci95"]
    if low is None:
        return tag("span", f"{figure['value']:.3f}")
    return tag("span", f"{figure['value']:.3f} ", tag("small", f"{low:.3f}–{high:.3f}"))


def _head(title: str, metrics: Mapping[str, Any]) -> Markup:
    data = metrics.get("data", {})
    pairs = [("data", data.get("name", "")), ("labels", len(metrics["labels"]))]
    pairs += [(f"{k} records", f"{data[k]:,}") for k in ("train", "val", "test") if k in data]
    if seconds := metrics.get("wall_seconds"):
        minutes, rest = divmod(round(seconds), 60)
        pairs.append(("wall time", f"{minutes} min {rest} s" if minutes else f"{rest} s"))
    pairs.append(("code", metrics.get("code", "")))
    skipped = metrics.get("skipped") or []
    note = ""
    if skipped:
        note = tag(
            "p",
            "Left out of macro figures, having no positives or no negatives in test: "
            + ", ".join(skipped),
        )
    return tag("header", tag("h1", title), facts(p for p in pairs if p[1] != ""), note)


def _stream_name(key: str, colour: Mapping[str, str]) -> Markup:
    dot = tag("span", "", class_="swatch", style=f"background:{colour[key.split('@')[0]]}")
    return tag("span", dot, key)


def _headline(metrics: Mapping[str, Any]) -> Markup:
    colour = figures.colours([k for k in metrics["test"] if "@" not in k])
    rows = [
        [
            _stream_name(key, colour),
            f"{entry['n']:,}",
            f"{entry['patients']:,}",
            *(_number(entry[f"macro_{m}"]) for m in COLUMNS),
            f"{entry['brier']:.3f}",
            f"{entry['ece']:.3f}",
        ]
        for key, entry in metrics["test"].items()
    ]
    caption = (
        "Means over the labels on the test split, with 95 % intervals from resampling patients. "
        "n counts answers: a record shown in several layouts or artefacts counts once for "
        "each. Temperature "
        "and thresholds were fitted on validation only."
    )
    head = ["stream", "n", "patients", *COLUMNS.values(), "Brier", "ECE"]
    return tag(
        "section",
        tag("h2", "At a glance"),
        table(head, rows, numeric=(1, 2), caption=caption),
        figure(
            figures.intervals(metrics["test"], metrics["labels"]),
            "AUROC by label and stream, with 95 % intervals over patients.",
        ),
    )


def _by_class(metrics: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Markup:
    colour = figures.colours(list(tables))
    rows: list[list[Any]] = []
    lead: list[int] = []
    for c, code in enumerate(metrics["labels"]):
        lead.append(len(rows))
        for i, (stream, answers) in enumerate(tables.items()):
            entry = metrics["test"][stream]["per_class"][code]
            called = probabilities_of(answers)[:, c] >= entry["threshold"]
            y = targets_of(answers)[:, c] == 1
            counts = (called & y, called & ~y, ~called & y, ~called & ~y)
            rows.append(
                [
                    tag("b", code) if i == 0 else "",
                    _stream_name(stream, colour),
                    f"{entry['positives']:,}",
                    *(_number(entry[m]) for m in COLUMNS),
                    f"{entry['threshold']:.3f}",
                    *(f"{int(np.count_nonzero(n)):,}" for n in counts),
                ]
            )
    head = ["label", "stream", "positives", *COLUMNS.values(), "threshold", "TP", "FP", "FN", "TN"]
    caption = "A label is called where its calibrated probability reaches the threshold."
    body = table(head, rows, numeric=(2, 8, 9, 10, 11, 12), lead=lead, caption=caption)
    return tag("section", tag("h2", "By label"), body)


def _curves(tables: Mapping[str, pd.DataFrame], draws: int) -> Markup:
    answers = next(iter(tables.values()))
    codes = figures.shown_codes(answers)
    caption = "Left ROC, right precision and recall; bands hold 95 % of patient draws pointwise."
    if len(codes) < len(codes_of(answers)):
        caption += f" The {len(codes)} labels with most positives are shown."
    svg = figures.roc_and_pr(tables, codes, draws)
    return tag("section", tag("h2", "ROC and precision-recall curves"), figure(svg, caption))


def _calibration(tables: Mapping[str, pd.DataFrame]) -> Markup:
    caption = (
        "All labels pooled, in bins of equal mass; on the dotted line, of the answers given "
        "with 70 %, 70 % are right. ECE is the mean over labels."
    )
    return tag("section", tag("h2", "Reliability"), figure(figures.reliability(tables), caption))


def _training(history: pd.DataFrame | None) -> Markup:
    svg = None if history is None else figures.training(history)
    if svg is None:
        return Markup("")
    return tag("section", tag("h2", "Training"), figure(svg, "By epoch."))


def _configuration(config: Mapping[str, Any]) -> Markup:
    content = tag("pre", json.dumps(config, indent=2, default=str))
    return tag(
        "section",
        tag("h2", "Configuration"),
        tag("details", tag("summary", "Every value of this run"), content),
    )
