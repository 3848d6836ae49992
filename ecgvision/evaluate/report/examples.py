"""Example pages of the report, each beside what every stream said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecgvision.evaluate.predictions import select
from ecgvision.evaluate.report.html import Markup, picture, table, tag


def examples_section(
    examples: Sequence[Mapping[str, Any]],
    tables: Mapping[str, pd.DataFrame],
    metrics: Mapping[str, Any],
) -> Markup:
    """The section of example pages; nothing where there is none.

    Args:
        examples: as `report.write_report` takes them.
        tables: test rows of each stream, with `p_` columns.
        metrics: the object of metrics.json, for the thresholds.
    """
    if not examples:
        return Markup("")
    caption = "Bold: called, the probability reaches the threshold of its label. ✓: true label."
    shown = [_example(e, tables, metrics) for e in examples]
    return tag("section", tag("h2", "Example pages"), tag("p", caption, class_="soft"), *shown)


def _example(
    example: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    metrics: Mapping[str, Any],
) -> Markup:
    record = str(example["record_id"])
    view = {key: example[key] for key in ("layout", "artefact") if example.get(key)}
    answers = {s: _answer(t, record, view) for s, t in tables.items()}
    found = {s: row for s, row in answers.items() if row is not None}
    body = []
    if found:
        rows = [_example_row(code, found, metrics) for code in _worth_showing(found, metrics)]
        body.append(table(["label", "true", *found], rows, numeric=range(2, 2 + len(found))))
    body.append(tag("p", example.get("text", ""), class_="soft"))
    name = ", ".join([f"record {record}", *view.values()])
    image = picture(np.asarray(example["image"]), name)
    return tag("div", image, tag("div", tag("h3", name), *body), class_="example")


def _answer(answers: pd.DataFrame, record: str, view: Mapping[str, str]) -> pd.Series | None:
    """The row of a record: that of the layout and artefact where there is one, else the first."""
    rows = select(answers[answers["record_id"].astype(str) == record])
    exact = select(rows, **view)
    rows = rows if exact.empty else exact
    return None if rows.empty else rows.iloc[0]


def _worth_showing(found: Mapping[str, pd.Series], metrics: Mapping[str, Any]) -> list[str]:
    """All labels where they are few, else the true ones and the eight most probable."""
    codes = list(metrics["labels"])
    if len(codes) <= 12:
        return codes
    best = sorted(codes, key=lambda c: -max(row[f"p_{c}"] for row in found.values()))[:8]
    true = [c for c in codes if next(iter(found.values()))[f"y_{c}"] == 1]
    return [c for c in codes if c in best or c in true]


def _example_row(
    code: str, found: Mapping[str, pd.Series], metrics: Mapping[str, Any]
) -> list[Any]:
    cells = []
    for stream, row in found.items():
        p = float(row[f"p_{code}"])
        called = p >= metrics["test"][stream]["per_class"][code]["threshold"]
        cells.append(tag("b" if called else "span", f"{p:.2f}"))
    true = next(iter(found.values()))[f"y_{code}"] == 1
    return [code, "✓" if true else "", *cells]
