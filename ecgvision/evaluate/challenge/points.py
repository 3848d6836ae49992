"""Operating points for the Challenge metric, from validation only.

The thresholds of `operating_points` maximise the F1 of each label. The Challenge metric couples
labels (a call costs less where many others are right), so its thresholds are fitted jointly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from ecgvision.core.errors import DataError
from ecgvision.evaluate.challenge.scores import Challenge, checked, earned
from ecgvision.evaluate.metrics.operating_points import OperatingPoints, fit_temperature

GRID = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""Candidate thresholds: 0.05 to 0.95 (our default: this range holds the best thresholds of
calibrated probabilities, for rare classes and for frequent ones)."""
MOST_ROUNDS = 20  # over all classes; each round can only raise a bounded score, few are needed


def fit_thresholds(
    probabilities: ArrayLike,
    targets: ArrayLike,
    challenge: Challenge,
    grid: Sequence[float] = GRID,
) -> tuple[float, ...]:
    """Return thresholds that maximise the Challenge metric by coordinate ascent.

    The search starts at the best threshold shared by all classes. Each round sets every class in
    turn to its best threshold of the grid, with the other classes fixed. It ends when a round
    changes nothing (no single class then gains from another threshold of the grid), or after
    `MOST_ROUNDS` rounds. The result is at least as good as every shared threshold. Ties keep the
    present threshold, else take the one nearest to 0.5.

    Args:
        probabilities: (N, C) of validation records only: a metric is biased upwards on the
            records that its thresholds were fitted on.
        targets: (N, C) of 0 and 1.
        challenge: classes and rewards.
        grid: candidate thresholds, each in 0..1; a class is called where p >= threshold.

    Raises:
        DataError: if the shapes do not agree, or the grid is empty or leaves 0..1.
    """
    p = np.asarray(probabilities, np.float64)
    choices = np.array(sorted(set(grid), key=lambda t: (abs(t - 0.5), t)), np.float64)
    if not len(choices) or not ((choices >= 0) & (choices <= 1)).all():
        raise DataError("the grid must hold thresholds between 0 and 1", value=tuple(grid))
    y, _ = checked(targets, p >= 0.5, challenge)
    shared = [earned(y, p >= t, challenge)[:, 0].sum() for t in choices]
    chosen = np.full(len(challenge.codes), choices[int(np.argmax(shared))])
    reward = y @ challenge.weights  # (N, C), the reward that calling each class adds
    called = p >= chosen
    total, union = (reward * called).sum(axis=1), (y | called).sum(axis=1)
    for _ in range(MOST_ROUNDS):
        before = chosen.copy()
        for c in range(len(chosen)):
            rest = total - reward[:, c] * called[:, c]
            others = union - (y[:, c] | called[:, c])
            options = p[:, c] >= choices[:, None]  # (grid, N)
            size = np.maximum(others + (y[:, c] | options), 1)
            values = ((rest + reward[:, c] * options) / size).sum(axis=1)
            present = int(np.flatnonzero(choices == chosen[c])[0])
            best = int(np.argmax(values))
            if values[best] > values[present] + 1e-9:
                chosen[c], called[:, c] = choices[best], options[best]
            total, union = rest + reward[:, c] * called[:, c], others + (y[:, c] | called[:, c])
        if (chosen == before).all():
            break
    return tuple(float(t) for t in chosen)


def fit_points(
    logits: ArrayLike, targets: ArrayLike, challenge: Challenge, grid: Sequence[float] = GRID
) -> OperatingPoints:
    """Fit operating points for the Challenge metric.

    The temperature comes from `operating_points.fit_temperature`, thresholds from `fit_thresholds`.

    Args:
        logits: (N, C) raw logits of validation records only.
        targets: (N, C) of 0 and 1.
        challenge: classes and rewards.
        grid: candidate thresholds.

    Raises:
        DataError: if the shapes do not agree, or the grid is empty or leaves 0..1.
    """
    z = np.asarray(logits, np.float64)
    y, _ = checked(targets, z >= 0, challenge)
    temperature = fit_temperature(z, y)
    notes = ["thresholds are for the Challenge metric"]
    if temperature is None:
        notes.append("temperature kept at 1: validation does not determine one")
    scale = 1.0 if temperature is None else temperature
    thresholds = fit_thresholds(expit(z / scale), y, challenge, grid)
    return OperatingPoints(scale, thresholds, challenge.codes, tuple(notes))
