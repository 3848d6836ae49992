"""ROC and precision-recall curves with pointwise 95 % bands of the patient-level bootstrap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from ecgvision.evaluate.metrics.bootstrap import weight_blocks

GRID = np.linspace(0, 1, 101)
BAND_DRAWS = 200
"""Our default: bands are only plotted, and 200 draws fix them to within the width of a line."""


class Curve(NamedTuple):
    """Curve (x, y), and the 2.5 % and 97.5 % quantiles of y at each abscissa of `GRID`."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def roc_and_pr(
    scores: ArrayLike,
    targets: ArrayLike,
    patients: NDArray[np.int64],
    *,
    draws: int = BAND_DRAWS,
    seed: int = 0,
) -> tuple[Curve, Curve] | None:
    """Return the ROC and precision-recall curves of one label.

    Args:
        scores: (N,), higher is more likely.
        targets: (N,) of 0 and 1.
        patients: (N,) from `bootstrap.patients_of`.
        draws: bootstrap draws of the bands.
        seed: of the draws.

    Returns:
        ROC (x false positive rate, y recall) and PR (x recall, y precision); None if the label
        has no positives or no negatives.
    """
    s, y = np.asarray(scores, np.float64), np.asarray(targets).astype(np.int64)
    if y.min() == y.max():
        return None
    fpr, tpr, _ = roc_curve(y, s)
    precision, recall, _ = precision_recall_curve(y, s, drop_intermediate=True)
    roc_band, pr_band = _bands(s, y, patients, draws, seed)
    return Curve(fpr, tpr, *roc_band), Curve(recall[::-1], precision[::-1], *pr_band)


def _bands(
    s: NDArray[np.float64],
    y: NDArray[np.int64],
    patients: NDArray[np.int64],
    draws: int,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two (2, 101) arrays: low and high of recall at FPR, and of precision at recall."""
    order = np.argsort(-s, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(s[order])), len(s) - 1)
    roc, pr = [], []
    for weights in weight_blocks(patients, draws, seed):
        w = weights[:, order]
        tps = np.cumsum(w * y[order], axis=1)[:, ends]
        fps = np.cumsum(w * (1 - y[order]), axis=1)[:, ends]
        for tp, fp in zip(tps, fps, strict=True):
            if tp[-1] == 0 or fp[-1] == 0:
                continue
            tpr = tp / tp[-1]
            roc.append(np.interp(GRID, np.append(0, fp / fp[-1]), np.append(0, tpr)))
            # precision at the first score level that reaches the recall
            at = np.searchsorted(tpr, np.maximum(GRID, 1e-12), side="left")
            pr.append(tp[at] / (tp[at] + fp[at]))
    if not roc:
        return np.full((2, len(GRID)), np.nan), np.full((2, len(GRID)), np.nan)
    return np.quantile(roc, [0.025, 0.975], axis=0), np.quantile(pr, [0.025, 0.975], axis=0)
