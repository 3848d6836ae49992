"""Robustness: how a network does in each layout under each condition of the page.

A cell is one layout under one condition. Its figure is macro AUROC; its change is that less the
clean page's of the same layout, on the same records and under the same draws of patients.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ecgvision.evaluate.assessment.answers import Answers, with_interval
from ecgvision.evaluate.assessment.decisions import risk_coverage
from ecgvision.evaluate.metrics.bootstrap import Scores, macro
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.predictions import select

DRAWS = 200
"""Draws of each cell (our default: a matrix has hundreds of cells)."""

COVERAGE = 0.8
"""Share of the records that is answered for selective risk (our default)."""


def robustness_table(
    table: pd.DataFrame, points: Mapping[str, OperatingPoints], *, clean: str, draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Return the cells of every stream.

    Args:
        table: test rows of a predictions table, of every layout under every condition (the column
            `artefact`).
        points: operating points of each stream.
        clean: the condition to compare with, in which every layout is there.
        draws: bootstrap draws of patients.
        seed: of the draws.

    Returns:
        stream, layout, condition, records, `auroc` (macro) and `change` with intervals, `risk` (the
        share of wrong decisions) and `selective_risk` (of the `COVERAGE` surest records).
    """
    rows = []
    for stream, chosen in points.items():
        own = select(table, stream=stream)
        for layout in own["layout"].unique():
            cells = select(own, layout=layout)
            reference = _samples(select(cells, artefact=clean), chosen, draws, seed)[0]
            for condition in cells["artefact"].unique():
                samples, answers = _samples(select(cells, artefact=condition), chosen, draws, seed)
                risk = risk_coverage(answers, (1.0, COVERAGE))["risk"]
                rows.append({
                    "stream": stream, "layout": layout, "condition": condition,
                    "records": len(answers.y), **with_interval("auroc", samples),
                    **with_interval("change", samples - reference),
                    "risk": risk[0], "selective_risk": risk[1],
                })  # fmt: skip
    return pd.DataFrame(rows)


def _samples(
    rows: pd.DataFrame, points: OperatingPoints, draws: int, seed: int
) -> tuple[np.ndarray, Answers]:
    """Return the (1 + D,) macro AUROC of a cell and of its draws, and its answers."""
    rows = rows.sort_values("record_id", ignore_index=True)  # the same draws in every cell
    answers = Answers.of(rows, points, draws=draws, seed=seed)
    scores = Scores(answers.z, answers.y)
    drawn = scores.bootstrap(answers.patients, draws=draws, seed=seed, strata=answers.strata)
    return np.concatenate([macro(scores.value())[:1], macro(drawn)[:, 0]]), answers
