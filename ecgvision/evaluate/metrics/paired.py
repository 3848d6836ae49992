"""Paired comparison of two systems on the same records, with the same draws of patients.

The difference of two systems on the same records varies far less than either system. It therefore
has an interval of its own; whether the two systems' intervals overlap is no test of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgvision.evaluate.metrics import delong
from ecgvision.evaluate.metrics.bootstrap import Scores, macro, patient_draws, patients_of
from ecgvision.evaluate.metrics.compare import align
from ecgvision.evaluate.metrics.intervals import percentile
from ecgvision.evaluate.metrics.kernels import METRICS
from ecgvision.evaluate.metrics.multiplicity import holm
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.metrics.strata import Strata, strata_of
from ecgvision.evaluate.predictions import codes_of, logits_of, targets_of, validate

THRESHOLD_FREE = ("auroc", "auprc")
BRIER = "brier"


def paired(
    a: pd.DataFrame,
    b: pd.DataFrame,
    points: tuple[OperatingPoints, OperatingPoints] | None = None,
    *,
    match: str | None = None,
    common: bool = False,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare system A with system B: both values and the difference A - B, macro and per label.

    Args:
        a, b: predictions tables with one row per record.
        points: operating points of A and B; without them only AUROC and AUPRC are compared, with
            them also precision, recall, F1 and the Brier score.
        match, common: see `align`.
        draws: bootstrap draws.
        seed: of the draws.

    Returns:
        {"n", "patients", "draws", "skipped", "macro_<metric>": figure, "per_class": {code:
        {metric: figure}}}. A figure is {"a", "b", "difference", "ci95", "p"}; p is described in
        `p_value`. A figure of a label also has `p_holm`, adjusted for the number of labels; that of
        AUROC has `delong`, the difference's "ci95" and "p" by DeLong's method over patients.

    Raises:
        DataError: if the tables cannot be paired.
    """
    validate(a)
    validate(b)
    a, b = align(a, b, match=match, common=common)
    patients = patients_of(a)
    codes = codes_of(a)
    y = targets_of(a)
    strata = strata_of(patients, y)
    values, samples = _measured(a, b, points, patients, strata, draws, seed)
    metrics = (*METRICS, BRIER) if points else THRESHOLD_FREE
    defined = ~np.isnan(values[0][:, 0])
    result: dict[str, Any] = {
        "n": len(a),
        "patients": int(patients.max()) + 1,
        "draws": draws,
        "skipped": [c for c, known in zip(codes, defined, strict=True) if not known],
    }
    macros = [macro(v) for v in values], [macro(s) for s in samples]
    for m, name in enumerate(metrics):
        result[f"macro_{name}"] = _figure(
            [v[m] for v in macros[0]], macros[1][0][:, m] - macros[1][1][:, m]
        )
    result["per_class"] = {
        code: {
            name: _figure([v[c, m] for v in values], samples[0][:, c, m] - samples[1][:, c, m])
            for m, name in enumerate(metrics)
        }
        for c, code in enumerate(codes)
    }
    for name in metrics:
        _adjust([figures[name] for figures in result["per_class"].values()])
    scores = np.stack([logits_of(a), logits_of(b)], axis=2)
    for c, figures in enumerate(result["per_class"].values()):
        figures["auroc"]["delong"] = _delong(scores[:, c], y[:, c], patients)
    return result


def p_value(differences: NDArray[np.float64]) -> float:
    """Return the two-sided bootstrap p-value of (draws,) differences against 0.

    It is twice the smaller share of draws on either side of 0 (Davison and Hinkley 1997). One is
    added to both counts, so that it is never 0.
    """
    d = differences[~np.isnan(differences)]
    low, high = np.count_nonzero(d <= 0), np.count_nonzero(d >= 0)
    return float(min(1.0, 2 * (min(low, high) + 1) / (len(d) + 1)))


def _measured(
    a: pd.DataFrame, b: pd.DataFrame, points: tuple[OperatingPoints, OperatingPoints] | None,
    patients: NDArray[np.int64], strata: Strata | None, draws: int, seed: int,
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:  # fmt: skip
    """Return the (C, M) figures of A and of B, and their (draws, C, M) figures under draws."""
    values, samples = [], []
    chosen = np.stack(list(patient_draws(int(patients.max()) + 1, draws, seed, strata)))
    for i, table in enumerate((a, b)):
        z, y = logits_of(table), targets_of(table)
        p = points[i].probabilities(z) if points else None
        scores = Scores(z, y, points[i].decisions(p) if points and p is not None else None)
        value = scores.value()
        drawn = scores.bootstrap(patients, draws=draws, seed=seed, strata=strata)
        if p is None:
            value, drawn = value[:, :2], drawn[:, :, :2]
        else:
            sums = np.zeros((chosen.shape[1], y.shape[1]))
            np.add.at(sums, patients, (p - y) ** 2)
            counts = np.bincount(patients, minlength=len(sums))
            brier = (chosen @ sums) / (chosen @ counts)[:, None]
            brier[np.isnan(drawn[:, :, 0])] = np.nan
            value = np.column_stack([value, np.where(np.isnan(value[:, 0]), np.nan,
                                                     sums.sum(axis=0) / len(y))])  # fmt: skip
            drawn = np.concatenate([drawn, brier[:, :, None]], axis=2)
        values.append(value)
        samples.append(drawn)
    return values, samples


def _figure(values: list[float], differences: NDArray[np.float64]) -> dict[str, Any]:
    if np.isnan(values).any():
        return {"a": None, "b": None, "difference": None, "ci95": [None, None], "p": None}
    return {
        "a": float(values[0]),
        "b": float(values[1]),
        "difference": float(values[0] - values[1]),
        "ci95": list(percentile(differences) or (None, None)),
        "p": p_value(differences),
    }


def _adjust(figures: list[dict[str, Any]]) -> None:
    """Add `p_holm` to the figures of one metric."""
    adjusted = holm([np.nan if f["p"] is None else f["p"] for f in figures])
    for found, p in zip(figures, adjusted, strict=True):
        found["p_holm"] = None if np.isnan(p) else float(p)


def _delong(
    scores: NDArray[np.float64], y: NDArray[np.uint8], patients: NDArray[np.int64]
) -> dict[str, Any]:
    """Return interval and p-value of a difference of two AUROCs by DeLong's method."""
    found = delong.areas(scores, y, patients)
    if found is None:
        return {"ci95": [None, None], "p": None}
    value, error, p = found.difference()
    half = 1.959963984540054 * error
    return {"ci95": [value - half, value + half], "p": p}
