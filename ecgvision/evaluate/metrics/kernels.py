"""Compiled inner loop of the bootstrap: five metrics in one pass over presorted scores.

Weights are integers (how often a record's patient was drawn). Every count is therefore exact, and
the result equals that of physically resampled rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

METRICS = ("auroc", "auprc", "precision", "recall", "f1")
"""The metrics along the last axis of the kernel's output."""


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package's folder nor the home is writable
        return numba.njit(nogil=True)(function)


@_compile
def weighted_metrics(order, ends, positive, called, weights, out):
    """Fill `out` with `METRICS` for every draw and label.

    Args:
        order: (C, N) int32, record indices by descending score.
        ends: (C, N) bool, True on the last record of each run of equal scores.
        positive: (C, N) int64, target of each record in that order, 0 or 1.
        called: (C, N) int64, decision on each record in that order, 0 or 1.
        weights: (D, N) int64, how often each draw contains each record.
        out: (D, C, 5) float64; NaN where a draw has no positives or no negatives of a label.

    AUROC is the probability that a positive outranks a negative, ties counting half (Mann-Whitney).
    AUPRC is average precision: the sum over score levels of (gain in recall) x precision.
    Precision, recall and F1 are 0 where their denominator is 0.
    """
    draws, records = weights.shape
    for c in range(order.shape[0]):
        for d in range(draws):
            tp, fp, level_p, level_n = 0, 0, 0, 0
            called_tp, called_all = 0, 0
            twice_area = 0
            precision_sum = 0.0
            for i in range(records):
                w = weights[d, order[c, i]]
                wp = w * positive[c, i]
                level_p += wp
                level_n += w - wp
                called_tp += wp * called[c, i]
                called_all += w * called[c, i]
                if ends[c, i]:
                    twice_area += level_n * (2 * tp + level_p)
                    tp += level_p
                    fp += level_n
                    if level_p > 0:
                        precision_sum += level_p * (tp / (tp + fp))
                    level_p, level_n = 0, 0
            if tp == 0 or fp == 0:
                out[d, c, :] = np.nan
                continue
            out[d, c, 0] = twice_area / (2.0 * tp * fp)
            out[d, c, 1] = precision_sum / tp
            out[d, c, 2] = called_tp / called_all if called_all > 0 else 0.0
            out[d, c, 3] = called_tp / tp
            out[d, c, 4] = 2.0 * called_tp / (called_all + tp)
