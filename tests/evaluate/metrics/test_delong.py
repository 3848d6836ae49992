"""DeLong's and Obuchowski's variances against plain loops, and Holm against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from ecgvision.evaluate.metrics.delong import areas
from ecgvision.evaluate.metrics.multiplicity import holm


def by_loops(s, y, patients):
    """AUROC and variance from the formulae of Obuchowski 1997, cluster by cluster."""
    x, z = s[y], s[~y]
    m, n = len(x), len(z)

    def psi(a, b):
        return 1.0 if a > b else 0.5 if a == b else 0.0

    v10 = np.array([np.mean([psi(a, b) for b in z]) for a in x])
    v01 = np.array([np.mean([psi(a, b) for a in x]) for b in z])
    theta = v10.mean()
    clusters = np.unique(patients)
    px, pz = patients[y], patients[~y]
    i10, i01 = len(np.unique(px)), len(np.unique(pz))
    s10 = s01 = s11 = 0.0
    for c in clusters:
        a = v10[px == c].sum() - (px == c).sum() * theta
        b = v01[pz == c].sum() - (pz == c).sum() * theta
        s10, s01, s11 = s10 + a * a, s01 + b * b, s11 + a * b
    s10 *= i10 / ((i10 - 1) * m)
    s01 *= i01 / ((i01 - 1) * n)
    s11 *= len(clusters) / (len(clusters) - 1)
    return theta, s10 / m + s01 / n + 2 * s11 / (m * n)


@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_equals_the_formulae(seed, levels):
    rng = np.random.default_rng(seed)
    y = np.arange(24) % 3 == 0
    s = rng.integers(0, levels, 24).astype(float)  # few levels: many ties
    patients = np.unique(rng.integers(0, 12, 24), return_inverse=True)[1]
    found = areas(s, y, patients)
    value, variance = by_loops(s, y, patients)
    assert found.values[0] == pytest.approx(roc_auc_score(y, s)) == pytest.approx(value)
    assert found.covariance[0, 0] == pytest.approx(variance)


def test_independent_records_have_delongs_variance():
    rng = np.random.default_rng(1)
    y = rng.random(300) < 0.3
    s = rng.normal(size=(300, 2)) + y[:, None]
    s[:, 1] += s[:, 0]
    found = areas(s, y)
    x, z = s[y], s[~y]
    v10 = np.stack([[np.mean((a > z[:, k]) + 0.5 * (a == z[:, k])) for a in x[:, k]]
                    for k in (0, 1)])  # fmt: skip
    v01 = np.stack([[np.mean((x[:, k] > b) + 0.5 * (x[:, k] == b)) for b in z[:, k]]
                    for k in (0, 1)])  # fmt: skip
    np.testing.assert_allclose(found.covariance, np.cov(v10) / len(x) + np.cov(v01) / len(z),
                               rtol=0.02)  # fmt: skip
    value, error, p = found.difference()
    assert value == pytest.approx(roc_auc_score(y, s[:, 0]) - roc_auc_score(y, s[:, 1]))
    assert error > 0
    assert 0 < p < 1


def test_repeated_records_add_no_information():
    rng = np.random.default_rng(2)
    y = rng.random(80) < 0.4
    s = rng.normal(size=80) + y
    once = areas(s, y, np.arange(80)).interval()
    thrice = areas(np.repeat(s, 3), np.repeat(y, 3), np.repeat(np.arange(80), 3)).interval()
    naive = areas(np.repeat(s, 3), np.repeat(y, 3)).interval()
    np.testing.assert_allclose(thrice, once, atol=2e-3)
    assert naive[1] - naive[0] < 0.7 * (once[1] - once[0])


def test_equal_systems_do_not_differ_and_one_class_has_no_area():
    s, y = np.array([0.1, 0.4, 0.3, 0.9]), np.array([0, 1, 0, 1])
    assert areas(np.column_stack([s, s]), y).difference()[2] == 1.0
    assert areas(s, np.ones(4)) is None
    assert areas(s, y, np.zeros(4, int)) is None  # one patient


@given(arrays(float, st.integers(1, 12), elements=st.floats(0, 1)))
def test_holm_is_that_of_statsmodels(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-12)


def test_holm_does_not_count_what_has_no_answer():
    np.testing.assert_allclose(holm([0.02, np.nan, 0.5]), [0.04, np.nan, 0.5])
