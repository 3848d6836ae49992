"""Calibration: Brier score and its parts, calibration error, points of a reliability diagram."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

BINS = 10
"""Our default: with a few hundred records, ten bins still hold dozens each."""


class Reliability(NamedTuple):
    """Reliability diagram: one entry for each non-empty bin."""

    predicted: NDArray[np.float64]  # mean probability
    observed: NDArray[np.float64]  # share of positives
    records: NDArray[np.int64]


class BrierParts(NamedTuple):
    """Brier score as miscalibration - discrimination + uncertainty; see `brier_parts`."""

    miscalibration: float
    discrimination: float
    uncertainty: float


def brier(p: ArrayLike, y: ArrayLike) -> float:
    """Return the Brier score (Brier 1950): the mean of (p - y)^2 over all records and labels."""
    return float(np.mean((np.asarray(p, np.float64) - np.asarray(y, np.float64)) ** 2))


def brier_parts(p: ArrayLike, y: ArrayLike) -> BrierParts:
    """Return the parts of one label's Brier score, without bins.

    Miscalibration is what isotonic recalibration on the same records would gain, discrimination
    what its result is better than the share of positives, uncertainty the score of that share
    (Dimitriadis, Gneiting and Jordan 2021, Stable reliability diagrams).

    Args:
        p: (N,) probabilities.
        y: (N,) of 0 and 1.
    """
    p, y = np.asarray(p, np.float64), np.asarray(y, np.float64)
    level_of = np.unique(p, return_inverse=True)[1]
    mass = np.bincount(level_of)
    share = np.bincount(level_of, y) / mass
    fitted = isotonic_regression(share, weights=mass).x[level_of]
    known = float(y.mean())
    uncertainty = known * (1 - known)
    best = brier(fitted, y)
    return BrierParts(brier(p, y) - best, uncertainty - best, uncertainty)


def bin_of(p: ArrayLike, bins: int = BINS) -> NDArray[np.int64]:
    """Return the (N,) bin of each probability; bins have equal mass, equal ones share a bin."""
    p = np.asarray(p, np.float64)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, p, side="right")


def reliability(p: ArrayLike, y: ArrayLike, bins: int = BINS) -> Reliability:
    """Return a reliability diagram in bins of equal mass; equal probabilities share a bin.

    Args:
        p: (N,) probabilities.
        y: (N,) of 0 and 1.
        bins: how many.
    """
    p, y = np.asarray(p, np.float64), np.asarray(y, np.float64)
    inside = bin_of(p, bins)
    count = np.bincount(inside)
    kept = count > 0
    predicted = np.bincount(inside, p)[kept] / count[kept]
    observed = np.bincount(inside, y)[kept] / count[kept]
    return Reliability(predicted, observed, count[kept])


def ece(p: ArrayLike, y: ArrayLike, bins: int = BINS) -> float:
    """Return the expected calibration error of one label.

    It is the mass-weighted mean of |observed - predicted| over bins of equal mass, after Nixon et
    al. 2019 (Measuring Calibration in Deep Learning).
    """
    r = reliability(p, y, bins)
    return float(np.sum(r.records * np.abs(r.observed - r.predicted)) / np.sum(r.records))


def classwise_ece(p: ArrayLike, y: ArrayLike, bins: int = BINS) -> float:
    """Return the mean of `ece` over the labels of (N, C) probabilities and targets."""
    p, y = np.asarray(p), np.asarray(y)
    return float(np.mean([ece(p[:, c], y[:, c], bins) for c in range(p.shape[1])]))
