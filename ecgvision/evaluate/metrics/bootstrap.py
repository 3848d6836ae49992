"""Patient-level bootstrap: patients are resampled with replacement, each with all its records.

Records of one patient are not independent, so intervals that resample records are too narrow
(Field and Welsh 2007, Bootstrapping clustered data). A draw is a vector of weights: a record
counts as often as its patient was drawn.

Draws depend only on the seed, the set of patients and, where a label is rare, on who has it. Two
systems evaluated on the same patients therefore get the same draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgvision.core.errors import DataError
from ecgvision.evaluate.metrics.kernels import METRICS, weighted_metrics
from ecgvision.evaluate.metrics.strata import Strata

BLOCK_VALUES = 4_000_000
"""Most weights held in memory at once (32 MB), whatever the numbers of records and draws."""

JACKKNIFE_GROUPS = 400
"""Our default: the acceleration of an interval needs no more than the skewness of a few hundred
leave-out values."""


def patient_index(patient_id: ArrayLike, record_id: ArrayLike) -> NDArray[np.int64]:
    """Return the (N,) patient number of each record; patients are sorted by name.

    An empty patient_id means unknown: such a record counts as a separate patient.
    """
    patients, records = np.asarray(patient_id, object), np.asarray(record_id, object)
    names = [f"p:{p}" if p else f"r:{r}" for p, r in zip(patients, records, strict=True)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def patients_of(table: pd.DataFrame) -> NDArray[np.int64]:
    """Return the (N,) patient number of each row of a predictions table."""
    return patient_index(table["patient_id"], table["record_id"])


def patient_draws(
    patients: int, draws: int, seed: int, strata: Strata | None = None
) -> Iterator[NDArray[np.int64]]:
    """Yield (P,) how often each patient is drawn, `draws` times.

    Args:
        patients: how many there are.
        draws: how many draws.
        seed: of the draws.
        strata: patients are drawn within them; None draws from all patients alike.
    """
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        if strata is None:
            yield np.bincount(rng.integers(0, patients, patients), minlength=patients)
        else:
            yield strata.draw(rng)


def weight_blocks(
    patients: NDArray[np.int64], draws: int, seed: int, strata: Strata | None = None
) -> Iterator[NDArray[np.int64]]:
    """Yield (B, N) record weights, B draws at a time, `draws` in total.

    Args:
        patients: (N,) patient number of each record.
        draws, seed, strata: see `patient_draws`.
    """
    each = patient_draws(int(patients.max()) + 1, draws, seed, strata)
    block = max(1, BLOCK_VALUES // max(len(patients), 1))
    while chosen := list(islice(each, block)):
        yield np.stack(chosen)[:, patients]


class Scores:
    """Scores of N records for C labels, sorted once and reused for every draw.

    Args:
        scores: (N, C), higher is more likely. Give logits: probabilities saturate.
        targets: (N, C) of 0 and 1.
        called: (N, C) decisions; without them precision, recall and F1 are 0.

    Raises:
        DataError: if the shapes do not agree or a score is not finite.
    """

    def __init__(
        self, scores: ArrayLike, targets: ArrayLike, called: ArrayLike | None = None
    ) -> None:
        s, y = np.asarray(scores, np.float64), np.asarray(targets)
        k = np.zeros(s.shape, bool) if called is None else np.asarray(called)
        if s.ndim != 2 or s.shape != y.shape or s.shape != k.shape or len(s) == 0:
            raise DataError(
                "scores, targets and decisions must share one shape (N, C) with N > 0",
                value=(s.shape, y.shape, k.shape),
            )
        if not np.isfinite(s).all():
            raise DataError("scores must be finite")
        order = np.argsort(-s, axis=0, kind="stable")
        ranked = np.take_along_axis(s, order, axis=0)
        ends = np.ones(s.shape, bool)
        ends[:-1] = ranked[:-1] != ranked[1:]
        self.order = np.ascontiguousarray(order.T, np.int32)
        self.ends = np.ascontiguousarray(ends.T)
        self.positive = np.ascontiguousarray(np.take_along_axis(y, order, axis=0).T, np.int64)
        self.called = np.ascontiguousarray(np.take_along_axis(k, order, axis=0).T, np.int64)

    def measure(self, weights: ArrayLike) -> NDArray[np.float64]:
        """Return the (D, C, 5) `METRICS` under (D, N) integer weights."""
        w = np.ascontiguousarray(weights, np.int64)
        out = np.empty((len(w), len(self.order), len(METRICS)))
        weighted_metrics(self.order, self.ends, self.positive, self.called, w, out)
        return out

    def value(self) -> NDArray[np.float64]:
        """Return the (C, 5) `METRICS` of the records, each counted once."""
        return self.measure(np.ones((1, self.order.shape[1]), np.int64))[0]

    def bootstrap(
        self, patients: NDArray[np.int64], *, draws: int = 1000, seed: int = 0,
        strata: Strata | None = None,
    ) -> NDArray[np.float64]:  # fmt: skip
        """Return the (draws, C, 5) `METRICS` under draws of patients.

        NaN where a draw has no positives or no negatives of a label.
        """
        blocks = weight_blocks(patients, draws, seed, strata)
        return np.concatenate([self.measure(w) for w in blocks])

    def jackknife(
        self, patients: NDArray[np.int64], *, groups: int = JACKKNIFE_GROUPS
    ) -> NDArray[np.float64]:
        """Return the (G, C, 5) `METRICS` without each group of patients in turn.

        A group is one patient, or several where there are more patients than `groups`.
        """
        count = int(patients.max()) + 1
        group = (np.arange(count) * min(groups, count) // count)[patients]
        left = np.arange(group.max() + 1)
        block = max(1, BLOCK_VALUES // max(len(patients), 1))
        return np.concatenate([
            self.measure((group[None] != left[start : start + block, None]).astype(np.int64))
            for start in range(0, len(left), block)
        ])  # fmt: skip


def macro(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (..., 5) macro average of (..., C, 5) metrics, over the defined labels.

    A label without positives or without negatives in a draw is left out of that draw's mean. A
    draw without any defined label is NaN.
    """
    defined = ~np.isnan(samples)
    count = defined.sum(axis=-2)
    total = np.where(defined, samples, 0.0).sum(axis=-2)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
