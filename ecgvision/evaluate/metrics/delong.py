"""DeLong's variance of AUROC and of its differences, for patients with several records.

The placement of a positive is the share of negatives that it outranks, ties counting half; that of
a negative the share of positives that outrank it. DeLong, DeLong and Clarke-Pearson 1988 derive the
covariance of several AUROCs from the placements of independent records. Obuchowski 1997
(Nonparametric analysis of clustered ROC curve data) sums placements by patient, so that records of
one patient may be alike, and so may the positives and negatives of one patient. With one record a
patient the two agree but for the factors n / (n - 1).

It needs no draws and serves as a cross-check of the bootstrap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata


class Areas(NamedTuple):
    """AUROC of K systems on the same records, and their covariance.

    Attributes:
        values: (K,).
        covariance: (K, K).
    """

    values: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def interval(self, system: int = 0, level: float = 0.95) -> tuple[float, float]:
        """Return the normal interval of one AUROC, cut at 0 and 1."""
        half = ndtri((1 + level) / 2) * np.sqrt(max(self.covariance[system, system], 0.0))
        value = self.values[system]
        return float(max(value - half, 0.0)), float(min(value + half, 1.0))

    def difference(self) -> tuple[float, float, float]:
        """Return the difference of the first two, its standard error, and the two-sided p-value.

        Equal answers have the p-value 1.
        """
        v = self.covariance
        value = float(self.values[0] - self.values[1])
        error = float(np.sqrt(max(v[0, 0] + v[1, 1] - 2 * v[0, 1], 0.0)))
        if error == 0:
            return value, error, 1.0 if value == 0 else 0.0
        return value, error, float(2 * ndtr(-abs(value) / error))


def areas(
    scores: ArrayLike, targets: ArrayLike, patients: NDArray[np.int64] | None = None
) -> Areas | None:
    """Return the AUROCs of K systems with their covariance over patients.

    Args:
        scores: (N,) or (N, K), higher is more likely.
        targets: (N,) of 0 and 1.
        patients: (N,) patient number of each record; None takes records as independent.

    Returns:
        None if there are no positives or no negatives, or fewer than two patients with either.
    """
    s = np.asarray(scores, np.float64)
    s = s[:, None] if s.ndim == 1 else s
    y = np.asarray(targets).astype(bool)
    who = np.arange(len(y)) if patients is None else patients
    if not y.any() or y.all():
        return None
    x, z = s[y], s[~y]
    m, n = len(x), len(z)
    both = rankdata(s, axis=0)
    outranked = (both[y] - rankdata(x, axis=0)) / n  # placements of positives, (m, K)
    outranking = 1 - (both[~y] - rankdata(z, axis=0)) / m  # and of negatives, (n, K)
    values = outranked.mean(axis=0)
    count = int(who.max()) + 1
    p, q = np.zeros((count, s.shape[1])), np.zeros((count, s.shape[1]))
    np.add.at(p, who[y], outranked - values)
    np.add.at(q, who[~y], outranking - values)
    with_p = len(np.unique(who[y]))
    with_q = len(np.unique(who[~y]))
    total = len(np.unique(who))
    if with_p < 2 or with_q < 2:
        return None
    covariance = (
        with_p / (with_p - 1) * (p.T @ p) / m**2
        + with_q / (with_q - 1) * (q.T @ q) / n**2
        + total / (total - 1) * (p.T @ q + q.T @ p) / (m * n)
    )
    return Areas(values, covariance)
