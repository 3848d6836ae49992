"""Logistic recalibration of one label: p = sigmoid(slope x logit + intercept).

Fits for many draws of records run at once, by Newton's method. Slope and intercept are those of
Cox 1958 (Two further applications of a model for binary regression), and of Platt 1999 where they
are applied.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

STEPS = 40
TOLERANCE = 1e-8
STEEPEST = 30.0
"""Slope, in standard deviations of the logits, above which records count as separated: no finite
slope fits those (our default)."""


def slopes_and_intercepts(
    logits: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return (D, 2) the slope and intercept of each draw; NaN where none fits.

    Args:
        logits: (N,).
        targets: (N,) of 0 and 1.
        weights: (D, N) how often each draw contains each record; None: each once.
    """
    z, y, w = _arrays(logits, targets, weights)
    centre, spread = float(z.mean()), float(z.std())
    found = np.full((len(w), 2), np.nan)
    if spread == 0:
        return found
    x = (z - centre) / spread
    share = (w @ y) / np.maximum(w.sum(axis=1), 1)
    b = np.stack([np.zeros(len(w)), np.log(np.clip(share, 1e-9, 1 - 1e-9)
                                           / np.clip(1 - share, 1e-9, 1))], axis=1)  # fmt: skip
    done = (share <= 0) | (share >= 1)
    b[done] = np.nan
    active = np.flatnonzero(~done)
    for _ in range(STEPS):
        if not len(active):
            break
        wa = w[active]
        p = expit(b[active, :1] * x + b[active, 1:])
        residual, curvature = wa * (y - p), wa * p * (1 - p)
        g = np.stack([residual @ x, residual.sum(axis=1)], axis=1)
        h00, h01, h11 = curvature @ x**2, curvature @ x, curvature.sum(axis=1)
        determinant = h00 * h11 - h01**2
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.stack([h11 * g[:, 0] - h01 * g[:, 1], h00 * g[:, 1] - h01 * g[:, 0]], axis=1)
            step /= determinant[:, None]
        b[active] += np.clip(step, -5, 5)  # far from the optimum a whole step overshoots
        lost = ~np.isfinite(step).all(axis=1) | (np.abs(b[active, 0]) > STEEPEST)
        b[active[lost]] = np.nan
        settled = lost | (np.abs(step).max(axis=1) < TOLERANCE)
        active = active[~settled]
    b[active] = np.nan  # not settled after all steps
    found[:, 0] = b[:, 0] / spread
    found[:, 1] = b[:, 1] - b[:, 0] * centre / spread
    return found


def intercepts(
    logits: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return (D,) the intercept at slope 1 of each draw; NaN where none fits.

    It is calibration in the large on the scale of logits: 0 where predicted and observed shares
    agree. For the arguments see `slopes_and_intercepts`.
    """
    z, y, w = _arrays(logits, targets, weights)
    count, positives = w.sum(axis=1), w @ y
    b = np.zeros(len(w))
    for _ in range(STEPS):
        p = expit(z + b[:, None])
        step = np.clip((positives - (w * p).sum(axis=1))
                       / np.maximum((w * p * (1 - p)).sum(axis=1), 1e-12), -2, 2)  # fmt: skip
        b += step
        if np.abs(step).max() < TOLERANCE:
            break
    return np.where((positives > 0) & (positives < count), b, np.nan)


def _arrays(
    logits: ArrayLike, targets: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    z, y = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    w = np.ones((1, len(z))) if weights is None else np.asarray(weights, np.float64)
    return z, y, w
