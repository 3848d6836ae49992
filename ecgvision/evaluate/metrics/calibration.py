"""Calibration: Brier score, expected calibration error and the points of a reliability diagram."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 10
"""Our default: with a few hundred records, ten bins still hold dozens each."""


class Reliability(NamedTuple):
    """Reliability diagram: one entry for each non-empty bin."""

    predicted: NDArray[np.float64]  # mean probability
    observed: NDArray[np.float64]  # share of positives
    records: NDArray[np.int64]


def brier(p: ArrayLike, y: ArrayLike) -> float:
    """Return the Brier score (Brier 1950): the mean of (p - y)^2 over all records and labels."""
    return float(np.mean((np.asarray(p, np.float64) - np.asarray(y, np.float64)) ** 2))


def reliability(p: ArrayLike, y: ArrayLike, bins: int = BINS) -> Reliability:
    """Return a reliability diagram in bins of equal mass; equal probabilities share a bin.

    Args:
        p: (N,) probabilities.
        y: (N,) of 0 and 1.
        bins: how many.
    """
    p, y = np.asarray(p, np.float64), np.asarray(y, np.float64)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    bin_of = np.searchsorted(edges, p, side="right")
    count = np.bincount(bin_of, minlength=len(edges) + 1)
    kept = count > 0
    predicted = np.bincount(bin_of, p, len(edges) + 1)[kept] / count[kept]
    observed = np.bincount(bin_of, y, len(edges) + 1)[kept] / count[kept]
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
