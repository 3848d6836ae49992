"""Figures of subgroups of the records, and their gaps to all other records.

A cell of fewer than `LEAST` records is suppressed: its count is given as "<20" and it has no
figures, because they would say little and could point at persons. A label has figures in a group
where `LEAST` records have it and `LEAST` do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ecgvision.evaluate.assessment.answers import Answers, share, with_interval
from ecgvision.evaluate.assessment.settings import SUBGROUPS
from ecgvision.evaluate.metrics.bootstrap import Scores

LEAST = 20
SUPPRESSED = f"<{LEAST}"

AGES = (0, 40, 60, 75, np.inf)
"""Bounds of the age bands in years (our default)."""

UNKNOWN = "unknown"


def groups_of(records: pd.DataFrame, columns: Sequence[str] = SUBGROUPS) -> pd.DataFrame:
    """Return the group of each record by each column, as text.

    Ages become bands, and quality flags whether there is a finding.

    Args:
        records: one row for each answer.
        columns: those that `records` lacks are left out, and so are those with one value only.
    """
    found = {}
    for name in columns:
        if name not in records.columns:
            continue
        column = records[name]
        if name == "age":
            values = pd.to_numeric(column, errors="coerce")
            bands = pd.cut(values, AGES, right=False, labels=_bands())
            text = bands.astype(object).where(bands.notna(), UNKNOWN).astype(str)
        elif name == "flags":  # findings of the quality checks, a list as JSON
            empty = column.isna() | column.astype(str).isin(["", "[]"])
            text = empty.map({True: "no finding", False: "a finding"})
        else:
            text = column.astype(object).where(column.notna() & (column.astype(str) != ""),
                                               UNKNOWN).astype(str)  # fmt: skip
        if text.nunique() > 1:
            found[name] = text.to_numpy(object)
    return pd.DataFrame(found, index=records.index)


def subgroup_table(answers: Answers, groups: pd.DataFrame) -> pd.DataFrame:
    """Return AUROC, sensitivity and specificity of each group and label, with gaps to the rest.

    Args:
        groups: see `groups_of`; one row for each answer, in order.

    Returns:
        A row for each `subgroup` (the column), `group` and `label`, with `macro` first: `records`,
        `positives` (text, `SUPPRESSED` below `LEAST`), figures with intervals, and each one's
        `gap`: the group less all other records, over the same draws. A gap is NaN where the rest
        is suppressed.
    """
    rows: list[dict[str, object]] = []
    for column in groups.columns:
        names = groups[column].to_numpy(object)
        for name in sorted(set(names)):
            rows += _group(answers, names == name, {"subgroup": str(column), "group": str(name)})
    return pd.DataFrame(rows)


def _group(
    answers: Answers, inside: np.ndarray, about: dict[str, object]
) -> list[dict[str, object]]:
    n = int(inside.sum())
    if n < LEAST:
        return [{**about, "label": "macro", "records": SUPPRESSED, "positives": SUPPRESSED}]
    figures, rest = _figures(answers, inside), _figures(answers, ~inside)
    shown = _enough(answers, inside)
    rows: list[dict[str, object]] = []
    macro: dict[str, object] = {**about, "label": "macro", "records": str(n), "positives": ""}
    both = shown & _enough(answers, ~inside)
    for metric, samples in figures.items():
        if shown.any():
            macro |= with_interval(metric, samples[:, shown].mean(axis=1))
        if both.any():
            gaps = samples[:, both] - rest[metric][:, both]
            macro |= with_interval(f"{metric}_gap", gaps.mean(axis=1))
    rows.append(macro)
    for c, code in enumerate(answers.codes):
        positives = int(answers.y[inside, c].sum())
        row: dict[str, object] = {
            **about, "label": code, "records": str(n),
            "positives": str(positives) if min(positives, n - positives) >= LEAST else SUPPRESSED,
        }  # fmt: skip
        if 0 < n - positives < LEAST <= positives:
            row["positives"] = f">{n - LEAST}"
        for metric, samples in figures.items() if shown[c] else ():
            row |= with_interval(metric, samples[:, c])
            if both[c]:
                row |= with_interval(f"{metric}_gap", samples[:, c] - rest[metric][:, c])
        rows.append(row)
    return rows


def _enough(answers: Answers, inside: np.ndarray) -> np.ndarray:
    """Return (C,) whether `LEAST` records of a group have the label and `LEAST` do not."""
    positives = answers.y[inside].sum(axis=0)
    return np.minimum(positives, inside.sum() - positives) >= LEAST


def _figures(answers: Answers, inside: np.ndarray) -> dict[str, np.ndarray]:
    """Return the (1 + D, C) figures of a group's records, under the draws of all patients."""
    y, called = answers.y & inside[:, None], answers.called & inside[:, None]
    no = ~answers.y & inside[:, None]
    auroc = np.full((1 + answers.draws, len(answers.codes)), np.nan)
    if inside.any():
        scores = Scores(answers.z[inside], answers.y[inside])
        weights = answers.drawn[:, answers.patients[inside]].astype(np.int64)
        weights = np.concatenate([np.ones((1, weights.shape[1]), np.int64), weights])
        auroc = scores.measure(weights)[:, :, 0]
    return {
        "auroc": auroc,
        "sensitivity": share(answers.sums(called & y), answers.sums(y)),
        "specificity": share(answers.sums(no & ~called), answers.sums(no)),
    }


def _bands() -> list[str]:
    pairs = pairwise(AGES)
    return [f"under {high:g}" if low == 0 else f"{low:g} and over" if np.isinf(high)
            else f"{low:g} to {high - 1:g}" for low, high in pairs]  # fmt: skip
