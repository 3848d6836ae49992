"""The weighted kernel against scikit-learn on the rows as they were drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from ecgvision.core.errors import DataError
from ecgvision.evaluate.metrics import bootstrap, kernels
from ecgvision.evaluate.metrics.bootstrap import (
    Scores,
    macro,
    patient_index,
    weight_blocks,
)
from ecgvision.evaluate.metrics.intervals import percentile


def reference(score, y, called, weights):
    """METRICS of physically resampled rows; None where a class is absent."""
    rows = np.repeat(np.arange(len(score)), weights)
    y, score, called = y[rows], score[rows], called[rows]
    if len(y) == 0 or y.all() or not y.any():
        return None
    prf = sk.precision_recall_fscore_support(y, called, average="binary", zero_division=0)
    return [sk.roc_auc_score(y, score), sk.average_precision_score(y, score), *prf[:3]]


@st.composite
def resamples(draw):
    n = draw(st.integers(2, 40))
    levels = draw(st.integers(1, 30))  # few levels: many ties
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    score = rng.integers(0, levels, n) / 7 - 1
    y = rng.random(n) < draw(st.floats(0.05, 0.95))
    called = rng.random(n) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    weights = rng.integers(0, draw(st.integers(2, 6)), n)
    return score, y, called, weights


@given(resamples())
def test_equals_scikit_learn_on_resampled_rows(case):
    score, y, called, weights = case
    found = Scores(score[:, None], y[:, None], called[:, None]).measure(weights[None])[0, 0]
    expected = reference(score, y, called, weights)
    if expected is None:
        assert np.isnan(found).all()
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_every_draw_of_a_bootstrap_equals_scikit_learn(rng):
    n, labels = 150, 4
    y = rng.random((n, labels)) < (0.03, 0.2, 0.5, 0.9)
    z = np.round(rng.normal(size=(n, labels)) + y, 1)
    patients = np.unique(rng.integers(0, 60, n), return_inverse=True)[1]
    samples = Scores(z, y, z > 0).bootstrap(patients, draws=25, seed=3)
    weights = np.concatenate(list(weight_blocks(patients, 25, 3)))
    for d in range(25):
        for c in range(labels):
            expected = reference(z[:, c], y[:, c], z[:, c] > 0, weights[d])
            expected = [math.nan] * 5 if expected is None else expected
            np.testing.assert_allclose(samples[d, c], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("block_values", [1, 200, 10**9])
def test_blocks_do_not_change_the_draws(monkeypatch, block_values):
    patients = np.repeat(np.arange(20), 3)
    expected = np.concatenate(list(weight_blocks(patients, 50, 7)))
    monkeypatch.setattr(bootstrap, "BLOCK_VALUES", block_values)
    blocks = list(weight_blocks(patients, 50, 7))
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
    assert max(len(b) for b in blocks) * len(patients) <= max(block_values, len(patients))


def test_a_patient_is_drawn_with_all_its_records():
    patients = patient_index(["b", "a", "b", "", ""], ["1", "2", "3", "4", "5"])
    assert patients[0] == patients[2]
    assert len(set(patients)) == 4  # records of unknown patients stand for themselves
    weights = np.concatenate(list(weight_blocks(patients, 200, 0)))
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    assert (weights[:, [0, 1, 3, 4]].sum(axis=1) == 4).all()
    assert abs(weights.mean() - 1) < 0.1


def test_unknown_patient_is_not_the_patient_of_that_name():
    assert len(set(patient_index(["7", ""], ["1", "7"]))) == 2


def test_intervals_over_patients_are_wider_where_records_repeat(rng):
    y = rng.random(80) < 0.4
    z = rng.normal(size=80) + y
    y4, z4 = np.repeat(y, 4)[:, None], np.repeat(z, 4)[:, None]
    clustered = Scores(z4, y4).bootstrap(np.repeat(np.arange(80), 4), draws=400)[:, 0, 0]
    single = Scores(z[:, None], y[:, None]).bootstrap(np.arange(80), draws=400)[:, 0, 0]
    naive = Scores(z4, y4).bootstrap(np.arange(320), draws=400)[:, 0, 0]
    np.testing.assert_allclose(clustered, single, atol=1e-12)  # copies add no information
    assert np.std(naive) < 0.7 * np.std(clustered)


def test_macro_leaves_out_labels_that_are_not_defined():
    samples = np.array([[[1.0] * 5, [math.nan] * 5], [[math.nan] * 5, [math.nan] * 5]])
    np.testing.assert_array_equal(macro(samples), [[1.0] * 5, [math.nan] * 5])


def test_interval_is_of_defined_draws():
    assert percentile(np.append(np.linspace(0, 1, 101), math.nan)) == pytest.approx((0.025, 0.975))
    assert percentile(np.array([math.nan])) is None


@pytest.mark.parametrize(
    ("scores", "targets"),
    [
        (np.zeros((3, 2)), np.zeros((3, 1))),
        (np.zeros((0, 2)), np.zeros((0, 2))),
        (np.array([[math.nan]]), np.ones((1, 1))),
    ],
)
def test_bad_scores_are_refused(scores, targets):
    with pytest.raises(DataError):
        Scores(scores, targets)


def test_kernel_compiles_where_no_cache_can_be_written(monkeypatch):
    real = kernels.numba.njit

    def njit(*args, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*args, **options)

    monkeypatch.setattr(kernels.numba, "njit", njit)
    assert kernels._compile(lambda x: x + 1)(1) == 2


@pytest.fixture
def rng():
    return np.random.default_rng(0)
