"""Example pages of the report, each beside the answers of every stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecgvision.evaluate.predictions import select
from ecgvision.evaluate.report.html import picture_uri

FEW_LABELS, MOST_PROBABLE = 12, 8
"""Up to so many labels all are shown; of more, the true and so many of the most probable."""


def example_values(
    examples: Sequence[Mapping[str, Any]],
    tables: Mapping[str, pd.DataFrame],
    metrics: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return the values of each example in the template.

    Args:
        examples: see `run.write_report`.
        tables: test rows of each stream, with `p_` columns.
        metrics: content of metrics.json, for the thresholds.

    Returns:
        For each example `name`, `uri` of the picture, `text`, the `streams` that answered it, and
        `rows`: `code`, whether it is `true`, and `answers` of the streams in order, each with
        `probability` and whether it is `predicted`.
    """
    return [_example(example, tables, metrics) for example in examples]


def _example(
    example: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    metrics: Mapping[str, Any],
) -> dict[str, Any]:
    record = str(example["record_id"])
    view = {key: example[key] for key in ("layout", "artefact") if example.get(key)}
    answers = {s: _answer(t, record, view) for s, t in tables.items()}
    found = {s: row for s, row in answers.items() if row is not None}
    codes = _shown_codes(found, metrics) if found else []
    return {
        "name": ", ".join([f"record {record}", *view.values()]),
        "uri": picture_uri(np.asarray(example["image"])),
        "text": example.get("text", ""),
        "streams": list(found),
        "rows": [_row(code, found, metrics) for code in codes],
    }


def _answer(answers: pd.DataFrame, record: str, view: Mapping[str, str]) -> pd.Series | None:
    """A record's row with the layout and artefact of the view, or its first; None without rows."""
    rows = select(answers[answers["record_id"].astype(str) == record])
    exact = select(rows, **view)
    rows = rows if exact.empty else exact
    return None if rows.empty else rows.iloc[0]


def _shown_codes(found: Mapping[str, pd.Series], metrics: Mapping[str, Any]) -> list[str]:
    codes = list(metrics["labels"])
    if len(codes) <= FEW_LABELS:
        return codes
    ranked = sorted(codes, key=lambda c: -max(row[f"p_{c}"] for row in found.values()))
    true = [c for c in codes if next(iter(found.values()))[f"y_{c}"] == 1]
    return [c for c in codes if c in ranked[:MOST_PROBABLE] or c in true]


def _row(code: str, found: Mapping[str, pd.Series], metrics: Mapping[str, Any]) -> dict[str, Any]:
    answers = []
    for stream, row in found.items():
        probability = float(row[f"p_{code}"])
        threshold = metrics["test"][stream]["per_class"][code]["threshold"]
        answers.append({"probability": probability, "predicted": probability >= threshold})
    true = next(iter(found.values()))[f"y_{code}"] == 1
    return {"code": code, "true": bool(true), "answers": answers}
