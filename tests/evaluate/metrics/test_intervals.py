"""Strata and intervals: no draw without a rare label, BCa against SciPy, the rule which kind."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ecgvision.evaluate.metrics import intervals
from ecgvision.evaluate.metrics.bootstrap import Scores, patient_draws, weight_blocks
from ecgvision.evaluate.metrics.strata import FEWEST, RARE, strata_of


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_no_draw_lacks_a_rare_label(rng):
    patients = np.repeat(np.arange(60), 2)
    y = np.zeros((120, 4), int)
    y[0, 0] = 1  # one record of one patient
    y[[2, 40, 41], 1] = 1  # two patients
    y[[0, 4, 80, 90, 92, 94, 96], 2] = 1  # shares a patient with the first
    y[:, 3] = rng.random(120) < 0.5
    strata = strata_of(patients, y)
    plain = np.concatenate(list(weight_blocks(patients, 200, 0)))
    drawn = np.concatenate(list(weight_blocks(patients, 200, 0, strata)))
    assert ((plain @ y[:, :2]) == 0).any(axis=0).all()
    assert ((drawn @ y) > 0).all()
    assert (drawn.sum(axis=1) == 120).all()
    assert not np.isnan(Scores(rng.normal(size=y.shape), y).bootstrap(
        patients, draws=50, strata=strata)).any()  # fmt: skip


def test_rare_negatives_count_as_well():
    y = np.ones((50, 1), int)
    y[3] = 0
    drawn = np.stack(list(patient_draws(50, 50, 0, strata_of(np.arange(50), y))))
    assert (drawn[:, 3] > 0).all()


def test_few_patients_are_not_drawn_among_themselves():
    y = np.zeros((60, 2), int)
    y[:FEWEST, 0] = 1
    y[20:22, 1] = 1
    strata = strata_of(np.arange(60), y)
    assert [len(m) for m in strata.members] == [FEWEST, 60 - FEWEST]
    drawn = np.stack(list(patient_draws(60, 100, 0, strata)))
    assert (drawn[:, :FEWEST].sum(axis=1) == FEWEST).all()
    assert np.ptp(drawn[:, 20:22].sum(axis=1)) > 0
    assert (drawn[:, 20:22].sum(axis=1) > 0).all()


def test_frequent_labels_are_drawn_as_ever():
    y = np.arange(200)[:, None] < RARE
    assert strata_of(np.arange(200), y) is None


def test_bca_is_that_of_scipy(rng):
    x = rng.exponential(size=60)
    found = stats.bootstrap((x,), np.mean, n_resamples=4000, method="BCa", rng=1)
    left_out = np.array([np.delete(x, i).mean() for i in range(len(x))])
    mine = intervals.bca(found.bootstrap_distribution, x.mean(), left_out)
    np.testing.assert_allclose(mine, found.confidence_interval, rtol=2e-3)


def test_bca_falls_back_where_no_draw_lies_below():
    draws = np.linspace(0.5, 1, 101)
    assert intervals.bca(draws, 0.4, np.arange(5.0)) == intervals.percentile(draws)


def test_basic_is_mirrored_and_cut():
    draws = np.linspace(2, 3, 1001)
    assert intervals.basic(draws, 2.0) == pytest.approx((1.025, 1.975))
    assert intervals.basic(draws, 1.2, least=0.0) == pytest.approx((0.0, 0.375))


def test_rule_needs_patients_on_both_sides():
    y = np.zeros((100, 4), int)
    y[:RARE, 0] = 1
    y[: RARE - 1, 1] = 1
    y[:, 2] = 1
    y[: FEWEST - 1, 3] = 1
    assert intervals.kinds(np.arange(100), y) == ["bca", "percentile", "none", "none"]
    same = np.repeat(np.arange(20), 5)  # records of twenty patients
    assert intervals.kinds(same, y)[:2] == ["none", "none"]
    assert intervals.figure(0.9, np.linspace(0.8, 1, 50), kind="none")["ci95"] == [None, None]
    assert intervals.figure(1.0, np.ones(50))["ci95"] == [None, None]


def test_jackknife_leaves_out_each_patient(rng):
    patients = np.array([0, 0, 1, 2, 2, 3])
    y, z = np.array([1, 0, 1, 0, 1, 0])[:, None], rng.normal(size=(6, 1))
    left = Scores(z, y, z > 0).jackknife(patients)
    for patient in range(4):
        keep = patients != patient
        expected = Scores(z[keep], y[keep], z[keep] > 0).value()
        np.testing.assert_allclose(left[patient], expected)
    assert Scores(z, y).jackknife(patients, groups=2).shape == (2, 1, 5)
