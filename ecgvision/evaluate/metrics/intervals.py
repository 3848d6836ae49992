"""Confidence intervals of bootstrap draws, and the rule which kind a figure gets.

The rule: the interval of a single figure is bias-corrected and accelerated (BCa; Efron 1987, Better
Bootstrap Confidence Intervals) where every label that it covers has at least `RARE` patients on
each side, and a percentile interval otherwise, because fewer patients do not determine the
acceleration. A label with fewer than `FEWEST` patients on one side has none: they cannot tell how
much others vary. Nor has a perfect figure: no draw of records without a mistake says how many
mistakes others would show. Differences have percentile intervals. A figure that draws push in one
direction, as the calibration error, has a basic interval, which turns that push round.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from ecgvision.evaluate.metrics.strata import FEWEST, RARE

Kind = Literal["bca", "percentile", "basic", "none"]


def percentile(samples: ArrayLike, level: float = 0.95) -> tuple[float, float] | None:
    """Return the percentile interval of (draws,) samples, without NaNs; None if all are NaN."""
    defined = _defined(samples)
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def basic(
    samples: ArrayLike, value: float, level: float = 0.95, *, least: float = -np.inf
) -> tuple[float, float] | None:
    """Return the basic interval: the percentile interval mirrored at the value.

    Args:
        least: smallest possible value of the figure, at which the interval is cut.
    """
    found = percentile(samples, level)
    if found is None:
        return None
    return max(least, 2 * value - found[1]), max(least, 2 * value - found[0])


def bca(
    samples: ArrayLike, value: float, left_out: ArrayLike, level: float = 0.95
) -> tuple[float, float] | None:
    """Return the bias-corrected and accelerated interval.

    Args:
        samples: (draws,) figures of the draws.
        value: the figure of the records.
        left_out: (G,) figures without each group of patients in turn.
        level: of confidence.

    Returns:
        None if every draw is NaN. The percentile interval where no draw lies on one side of the
        value, as there is no bias to estimate.
    """
    defined, jackknife = _defined(samples), _defined(left_out)
    below = (np.count_nonzero(defined < value) + np.count_nonzero(defined == value) / 2) / max(
        len(defined), 1
    )
    deviation = jackknife.mean() - jackknife if len(jackknife) else np.zeros(1)
    spread = float(np.sum(deviation**2))
    if not 0 < below < 1 or spread == 0:
        return percentile(defined, level)
    bias = ndtri(below)
    acceleration = float(np.sum(deviation**3)) / (6 * spread**1.5)
    tails = ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    moved = bias + tails
    at = ndtr(bias + moved / (1 - acceleration * moved))
    low, high = np.quantile(defined, np.clip(at, 0, 1))
    return float(low), float(high)


def figure(
    value: float, samples: ArrayLike, *, left_out: ArrayLike | None = None,
    kind: Kind = "percentile",
) -> dict[str, Any]:  # fmt: skip
    """Return {"value", "ci95"}; None where undefined, as JSON has no NaN.

    Args:
        left_out: for `bca`, see there.
    """
    if np.isnan(value):
        return {"value": None, "ci95": [None, None]}
    found: tuple[float, float] | None
    if kind == "bca" and left_out is not None:
        found = bca(samples, value, left_out)
    elif kind == "basic":
        found = basic(samples, value, least=0.0)
    elif kind == "none":
        found = None
    else:
        found = percentile(samples)
    if found == (1.0, 1.0):
        found = None
    return {"value": float(value), "ci95": list(found or (None, None))}


def kinds(patients: NDArray[np.int64], targets: ArrayLike) -> list[Kind]:
    """Return the kind of interval of each label's figures: `bca`, `percentile` or `none`.

    Args:
        patients: (N,) patient number of each record.
        targets: (N, C) of 0 and 1.
    """
    y = np.asarray(targets).astype(bool)
    smaller = [min(len(np.unique(patients[c])), len(np.unique(patients[~c]))) for c in y.T]
    return ["bca" if n >= RARE else "percentile" if n >= FEWEST else "none" for n in smaller]


def _defined(samples: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(samples, np.float64)
    return values[~np.isnan(values)]
