"""Benchmark of the patient-level bootstrap, against scikit-learn on resampled rows.

python -m experiments.bench bootstrap
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from tqdm import tqdm

from ecgvision.core.arguments import COUNT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add sizes; the defaults are PTB-XL's test fold with the label scheme of all statements."""
    parser.add_argument("--draws", type=COUNT, default=1000, help="bootstrap draws")
    parser.add_argument("--labels", type=COUNT, default=71, help="labels")
    parser.add_argument("--records", type=COUNT, default=2198, help="records")
    parser.add_argument("--reference-draws", type=COUNT, default=2, help="draws for scikit-learn")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure seconds on one core for AUROC, AUPRC, precision, recall, F1 of all draws and labels.

    `seconds` is of plain draws; `interval_seconds` of everything that intervals take: strata of
    rare labels, draws, jackknife and BCa. scikit-learn is timed on a few draws and extrapolated.
    """
    from ecgvision.evaluate.metrics.bootstrap import Scores, weight_blocks
    from ecgvision.evaluate.metrics.intervals import figure, kinds
    from ecgvision.evaluate.metrics.strata import strata_of

    scores, targets, patients = cohort(args.records, args.labels)
    start = time.perf_counter()
    Scores(scores[:16], targets[:16], scores[:16] > 0).value()
    compile_seconds = time.perf_counter() - start

    start = time.perf_counter()
    sorted_scores = Scores(scores, targets, scores > 0)
    samples = sorted_scores.bootstrap(patients, draws=args.draws, seed=0)
    seconds = time.perf_counter() - start

    start = time.perf_counter()
    strata = strata_of(patients, targets)
    kind = kinds(patients, targets)
    drawn = sorted_scores.bootstrap(patients, draws=args.draws, seed=0, strata=strata)
    left_out, value = sorted_scores.jackknife(patients), sorted_scores.value()
    for c, m in np.ndindex(value.shape):
        figure(float(value[c, m]), drawn[:, c, m], left_out=left_out[:, c, m], kind=kind[c])
    interval_seconds = time.perf_counter() - start

    weights = np.concatenate(list(weight_blocks(patients, args.reference_draws, 0)))
    start = time.perf_counter()
    reference = np.stack(
        [by_scikit_learn(scores, targets, w) for w in tqdm(weights, desc="scikit-learn")]
    )
    reference_seconds = (time.perf_counter() - start) / max(len(weights), 1) * args.draws
    return {
        "draws": args.draws,
        "labels": args.labels,
        "records": args.records,
        "metrics": ["auroc", "auprc", "precision", "recall", "f1"],
        "compile_or_load_seconds": compile_seconds,
        "seconds": seconds,
        "interval_seconds": interval_seconds,
        "target_seconds": 5.0,
        "scikit_learn_seconds": reference_seconds,
        "scikit_learn_seconds_from_draws": len(weights),
        "times_faster": reference_seconds / seconds,
        "largest_difference": float(np.nanmax(np.abs(samples[: len(weights)] - reference))),
    }


def cohort(records: int, labels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate scores (N, C), targets (N, C) and patients (N,), with prevalences of 1-40 %."""
    rng = np.random.default_rng(0)
    targets = rng.random((records, labels)) < np.geomspace(0.01, 0.4, labels)
    scores = rng.normal(size=(records, labels)) + 1.5 * targets
    patients = rng.integers(0, max(1, records * 9 // 10), records)
    return scores, targets, np.unique(patients, return_inverse=True)[1]


def by_scikit_learn(scores: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the (C, 5) metrics of one draw, from physically resampled rows."""
    from sklearn import metrics

    rows = np.repeat(np.arange(len(scores)), weights)
    out = np.full((scores.shape[1], 5), np.nan)
    for c in range(scores.shape[1]):
        y, s = targets[rows, c], scores[rows, c]
        if y.all() or not y.any():
            continue
        called = s > 0
        prf = metrics.precision_recall_fscore_support(y, called, average="binary", zero_division=0)
        out[c] = metrics.roc_auc_score(y, s), metrics.average_precision_score(y, s), *prf[:3]
    return out
