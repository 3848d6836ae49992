"""Calibration of the probabilities of one stream, label by label, with intervals over patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from ecgvision.evaluate.assessment.answers import Answers, share, with_interval
from ecgvision.evaluate.metrics import calibration
from ecgvision.evaluate.metrics.recalibration import intercepts, slopes_and_intercepts

FIT_DRAWS = 200
"""Bootstrap draws for slope and intercept; each draw is a fit (our default)."""

EDGE = 1e-12
"""Probabilities nearer to 0 or 1 than this count as this near, so that their logits are finite."""


def calibration_table(answers: Answers) -> pd.DataFrame:
    """Return the calibration of each label, and the mean over the labels as `macro`.

    Columns: `brier` and its parts `miscalibration`, `discrimination` and `uncertainty` (see
    `calibration.brier_parts`), `ece` (equal-mass bins), `slope` and `intercept` (Cox 1958; the
    intercept at slope 1, so 0 where predicted and observed shares agree), `observed` and
    `predicted` shares, and `brier_raw` and `ece_raw` of the logits before calibration.
    """
    rows, brier, ece = [], [], []
    raw = expit(answers.z)
    n = answers.sums(np.ones(len(answers.y)))
    for c, code in enumerate(answers.codes):
        y, p = answers.y[:, c], answers.p[:, c]
        brier.append(answers.sums((p - y) ** 2) / n)
        ece.append(_ece(answers, c))
        parts = calibration.brier_parts(p, y)
        rows.append({
            "label": code, "positives": int(y.sum()), "observed": float(y.mean()),
            "predicted": float(p.mean()),
            **with_interval("brier", brier[-1]),
            "miscalibration": parts.miscalibration, "discrimination": parts.discrimination,
            "uncertainty": parts.uncertainty,
            **with_interval("ece", ece[-1], "basic"), **_line(answers, c),
            "brier_raw": calibration.brier(raw[:, c], y),
            "ece_raw": calibration.ece(raw[:, c], y),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    means = table[["observed", "predicted", "miscalibration", "discrimination", "uncertainty",
                   "brier_raw", "ece_raw"]].mean()  # fmt: skip
    macro = {"label": "macro", "positives": int(table["positives"].sum()), **means,
             **with_interval("brier", np.mean(brier, axis=0)),
             **with_interval("ece", np.mean(ece, axis=0), "basic")}  # fmt: skip
    return pd.concat([pd.DataFrame([macro]), table], ignore_index=True)[table.columns]


def reliability_table(answers: Answers, bins: int = calibration.BINS) -> pd.DataFrame:
    """Return the points of each label's reliability diagram, in bins of equal mass.

    Columns: `label`, `bin`, `records`, mean probability `predicted`, share of positives `observed`
    with its interval.
    """
    rows = []
    for c, code in enumerate(answers.codes):
        y, p = answers.y[:, c], answers.p[:, c]
        inside = calibration.bin_of(p, bins)[:, None] == np.arange(bins)
        count, positives = answers.sums(inside), answers.sums(inside & y[:, None])
        mass = answers.sums(inside * p[:, None])[0]
        rows += [
            {"label": code, "bin": b, "records": int(count[0, b]),
             "predicted": float(mass[b] / count[0, b]),
             **with_interval("observed", share(positives[:, b], count[:, b]))}
            for b in range(bins) if count[0, b]
        ]  # fmt: skip
    return pd.DataFrame(rows)


def _ece(answers: Answers, c: int) -> np.ndarray:
    """Return the (1 + D,) expected calibration error of a label, in the bins of all records."""
    y, p = answers.y[:, c, None], answers.p[:, c, None]
    inside = calibration.bin_of(p[:, 0])[:, None] == np.arange(calibration.BINS)
    gaps = np.abs(answers.sums(inside * (y - p))).sum(axis=1)
    return gaps / answers.sums(np.ones(len(y)))


def _line(answers: Answers, c: int) -> dict[str, float]:
    """Return slope and intercept of a label with their intervals; NaN where none fits."""
    y = answers.y[:, c]
    z = logit(np.clip(answers.p[:, c], EDGE, 1 - EDGE))
    weights = answers.drawn[:FIT_DRAWS, answers.patients]
    weights = np.concatenate([np.ones((1, len(y))), weights])
    slope = slopes_and_intercepts(z, y, weights)[:, 0]
    return with_interval("slope", slope) | with_interval("intercept", intercepts(z, y, weights))
