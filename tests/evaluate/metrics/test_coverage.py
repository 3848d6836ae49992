"""Simulation: how often a 95 % interval holds the true AUROC where patients have several records."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from ecgvision.evaluate.metrics import delong, intervals
from ecgvision.evaluate.metrics.bootstrap import Scores

PATIENTS, EACH, REPEATS, DRAWS = 90, 4, 1000, 400
SHIFT, SHARED, OWN = 1.2, 1.0, 0.6
"""Difference of positives and negatives, and deviations between and within patients."""

TRUE = float(ndtr(SHIFT / np.sqrt(2 * (SHARED**2 + OWN**2))))
"""AUROC of two records of different patients."""


def cohort(rng):
    """Records of one patient share their label and most of what moves their score."""
    y = np.arange(PATIENTS) % 3 == 0
    z = rng.normal(scale=SHARED, size=PATIENTS) + SHIFT * y
    records = np.repeat(z, EACH) + rng.normal(scale=OWN, size=PATIENTS * EACH)
    return records, np.repeat(y, EACH), np.repeat(np.arange(PATIENTS), EACH)


@pytest.mark.slow
def test_intervals_over_patients_cover_and_those_over_records_do_not():
    rng = np.random.default_rng(35)
    held = {"bca": 0, "percentile": 0, "delong": 0, "records": 0, "delong of records": 0}
    for repeat in range(REPEATS):
        z, y, patients = cohort(rng)
        scores = Scores(z[:, None], y[:, None])
        value = scores.value()[0, 0]
        drawn = scores.bootstrap(patients, draws=DRAWS, seed=repeat)[:, 0, 0]
        naive = scores.bootstrap(np.arange(len(y)), draws=DRAWS, seed=repeat)[:, 0, 0]
        found = {
            "bca": intervals.bca(drawn, value, scores.jackknife(patients)[:, 0, 0]),
            "percentile": intervals.percentile(drawn),
            "delong": delong.areas(z, y, patients).interval(),
            "records": intervals.percentile(naive),
            "delong of records": delong.areas(z, y).interval(),
        }
        for name, (low, high) in found.items():
            held[name] += low <= TRUE <= high
    coverage = {name: count / REPEATS for name, count in held.items()}
    for name in ("bca", "percentile", "delong"):
        assert 0.93 <= coverage[name] <= 0.97, coverage
    for name in ("records", "delong of records"):
        assert coverage[name] < 0.85, coverage
