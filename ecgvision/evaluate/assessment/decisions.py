"""What follows from calling labels: rates at operating points, net benefit, alerts, rejection.

Every function returns a table with a row for each label and policy, threshold or share, and 95 %
intervals over patients in columns that end in `_low` and `_high`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from ecgvision.evaluate.assessment.answers import Answers, share, with_interval

GRID = np.round(np.concatenate([np.arange(0.01, 0.1, 0.01), np.arange(0.1, 0.51, 0.05)]), 2)
"""Threshold probabilities of net benefit (our default: the range in which an ECG leads to a further
test)."""

COVERAGES = tuple(np.round(np.arange(1.0, 0.09, -0.1), 1))
"""Shares of the records that are answered (our default)."""

EDGE = 1e-12
"""Probabilities nearer to 0 or 1 than this count as this near, so that their logits are finite."""


def rates(answers: Answers, called: NDArray[np.bool_], policy: str,
          thresholds: Sequence[float]) -> pd.DataFrame:  # fmt: skip
    """Return sensitivity, specificity, predictive values, F1 and alerts per 1,000 of each label.

    Args:
        called: (N, C) decisions.
        policy: name of what chose the thresholds, for the table.
        thresholds: (C,).
    """
    y = answers.y
    parts = np.stack([called & y, called & ~y, ~called & y, ~called & ~y], axis=2)
    tp, fp, fn, tn = np.moveaxis(answers.sums(parts), -1, 0)  # each (1 + D, C)
    figures = {
        "sensitivity": share(tp, tp + fn),
        "specificity": share(tn, tn + fp),
        "ppv": share(tp, tp + fp),
        "npv": share(tn, tn + fn),
        "f1": share(2 * tp, 2 * tp + fp + fn),
        "alerts_per_1000": 1000 * share(tp + fp, tp + fp + fn + tn),
    }
    rows = []
    for c, code in enumerate(answers.codes):
        row = {"policy": policy, "label": code, "threshold": thresholds[c],
               "tp": int(tp[0, c]), "fp": int(fp[0, c]), "fn": int(fn[0, c]),
               "tn": int(tn[0, c])}  # fmt: skip
        for name, samples in figures.items():
            row |= with_interval(name, samples[:, c])
        rows.append(row)
    return pd.DataFrame(rows)


def net_benefit(answers: Answers, grid: NDArray[np.float64] = GRID) -> pd.DataFrame:
    """Return the net benefit of calling a label at each threshold probability.

    It is TP / N - FP / N x t / (1 - t), after Vickers and Elkin 2006 (Decision curve analysis);
    `call_all` is that of calling every record. Calling none has 0.
    """
    rows = []
    odds = grid / (1 - grid)
    n = answers.sums(np.ones(len(answers.y)))
    for c, code in enumerate(answers.codes):
        y = answers.y[:, c, None]
        called = answers.p[:, c, None] >= grid
        tp, fp = answers.sums(called & y), answers.sums(called & ~y)
        positives = answers.sums(answers.y[:, c])
        benefit = (tp - fp * odds) / n[:, None]
        everyone = (positives[:, None] - (n - positives)[:, None] * odds) / n[:, None]
        rows += [
            {"label": code, "threshold": t, **with_interval("net_benefit", benefit[:, i]),
             "call_all": everyone[0, i]}
            for i, t in enumerate(grid)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def prevalence(answers: Answers, shares: Sequence[float]) -> pd.DataFrame:
    """Return predictive values and alerts per 1,000 at other prevalences, by Bayes' rule.

    Sensitivity and specificity at the operating points are those of the test records; it is assumed
    that they do not change with the prevalence.

    Args:
        shares: prevalences, each in 0 to 1.
    """
    y, called = answers.y, answers.called
    tp, fp = answers.sums(called & y), answers.sums(called & ~y)
    positives, negatives = answers.sums(y), answers.sums(~y)
    sensitivity, false_alarms = share(tp, positives), share(fp, negatives)
    rows = []
    for c, code in enumerate(answers.codes):
        for at in shares:
            hit, wrong = at * sensitivity[:, c], (1 - at) * false_alarms[:, c]
            missed, spared = at * (1 - sensitivity[:, c]), (1 - at) * (1 - false_alarms[:, c])
            rows.append({
                "label": code, "prevalence": at,
                "observed": float(positives[0, c] / len(y)),
                **with_interval("ppv", share(hit, hit + wrong)),
                **with_interval("npv", share(spared, spared + missed)),
                **with_interval("alerts_per_1000", 1000 * (hit + wrong)),
            })  # fmt: skip
    return pd.DataFrame(rows)


def risk_coverage(answers: Answers, coverages: Sequence[float] = COVERAGES) -> pd.DataFrame:
    """Return the share of wrong decisions where the least sure records are left to a person.

    A decision is as sure as its logit is far from that of its threshold; a record is as sure as its
    least sure label. Records are kept from the surest on, as a reject option would (El-Yaniv and
    Wiener 2010, On the foundations of noise-free selective classification).

    Returns:
        `coverage`, `risk` (of all decisions, with interval), and `any_wrong`, the share of the kept
        records with at least one wrong decision.
    """
    limits = np.asarray(answers.points.thresholds)
    p, t = (np.clip(values, EDGE, 1 - EDGE) for values in (answers.p, limits))
    distance = np.abs(logit(p) - logit(t))
    sure = distance.min(axis=1)
    wrong = answers.called != answers.y
    place = np.argsort(np.argsort(-sure, kind="stable"), kind="stable")
    rows = []
    for coverage in coverages:
        kept = place < max(1, round(coverage * len(sure)))
        n = answers.sums(kept)
        risk = share(answers.sums(np.where(kept, wrong.mean(axis=1), 0.0)), n)
        any_wrong = share(answers.sums(kept & wrong.any(axis=1)), n)
        rows.append({"coverage": float(coverage), "records": int(kept.sum()),
                     **with_interval("risk", risk),
                     **with_interval("any_wrong", any_wrong)})  # fmt: skip
    return pd.DataFrame(rows)
