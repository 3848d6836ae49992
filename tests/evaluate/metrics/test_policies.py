"""Policies on validation records: each is the best threshold that keeps its bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import ConfigError
from ecgvision.evaluate.metrics import operating_points
from ecgvision.evaluate.metrics.policies import WRITTEN, Policy
from ecgvision.evaluate.metrics.recalibration import intercepts, slopes_and_intercepts

ROWS = st.lists(st.tuples(st.integers(0, 11), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: len({y for _, y in rows}) == 2
)


def rates(p, y, t):
    called = p >= t
    return called[y].mean(), (~called)[~y].mean(), called.mean()


@given(ROWS, st.sampled_from(["sensitivity>=0.8", "specificity>=0.7", "alerts<=300/1000"]))
def test_no_other_threshold_is_better_within_the_bound(rows, text):
    p = np.array([level / 12 for level, _ in rows])
    y = np.array([positive for _, positive in rows])
    policy = Policy.parse(text)
    sensitivity, specificity, alerts = rates(p, y, policy.threshold(p, y))
    others = [rates(p, y, t) for t in np.append(np.unique(p), 1.0)]
    if policy.kind == "sensitivity":
        assert sensitivity >= 0.8
        assert specificity >= max(o[1] for o in others if o[0] >= 0.8) - 1e-12
    elif policy.kind == "specificity":
        assert specificity >= 0.7
        assert sensitivity >= max(o[0] for o in others if o[1] >= 0.7) - 1e-12
    else:
        assert alerts <= 0.3 + 1e-12
        assert sensitivity >= max(o[0] for o in others if o[2] <= 0.3) - 1e-12


@given(ROWS)
def test_youden_is_the_largest_sum(rows):
    p = np.array([level / 12 for level, _ in rows])
    y = np.array([positive for _, positive in rows])
    found = rates(p, y, Policy("youden").threshold(p, y))
    assert sum(found[:2]) >= max(sum(rates(p, y, t)[:2]) for t in np.append(p, 1.0)) - 1e-12


@pytest.mark.parametrize("text", WRITTEN)
def test_a_policy_reads_what_it_writes(text):
    assert Policy.parse(text).name == text
    assert Policy.parse(text).fitted == (text != "fixed:0.5")


@pytest.mark.parametrize(
    "text", ["best", "sensitivity>=1.5", "fixed:", "alerts<=5/100", "alerts<=2000/1000", "fixed:2"]
)
def test_no_policy_is_refused(text):
    with pytest.raises(ConfigError, match="policy"):
        Policy.parse(text)


def test_undetermined_thresholds_are_said_to_be():
    z, y = np.array([[4.0, 1.0], [3.0, 0.0]]), np.array([[1, 0], [1, 1]])
    points = operating_points.fit(z, y, ("A", "B"), policy=Policy.parse("specificity>=0.9"))
    assert points.thresholds[0] == 0.5
    assert any("no negatives" in note for note in points.notes)
    assert points.policy == "specificity>=0.9"


def test_per_class_scaling_is_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 2)) * (1, 5)
    y = rng.random((400, 2)) < 1 / (1 + np.exp(-(z * (2, 0.3) + (1, -1))))
    points = operating_points.fit(z, y, ("A", "B"), scaling="per_class")
    for c in range(2):
        reference = LogisticRegression(C=np.inf, tol=1e-8).fit(z[:, [c]], y[:, c])
        np.testing.assert_allclose(
            points.probabilities(z)[:, c], reference.predict_proba(z[:, [c]])[:, 1], atol=1e-5
        )
    copy = operating_points.OperatingPoints.from_dict(points.to_dict())
    assert copy == points
    assert operating_points.fit(z, y, ("A", "B"), scaling="none").temperature == 1


def test_fits_under_weights_are_those_of_repeated_rows():
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    z = rng.normal(size=120)
    y = rng.random(120) < 1 / (1 + np.exp(-(1.5 * z - 0.5)))
    w = rng.integers(0, 4, (3, 120))
    found = slopes_and_intercepts(z, y, w)
    offsets = intercepts(z, y, w)
    for i in range(3):
        rows = np.repeat(np.arange(120), w[i])
        fit = sm.Logit(y[rows], sm.add_constant(z[rows])).fit(disp=0)
        np.testing.assert_allclose(found[i], fit.params[::-1], atol=1e-6)
        glm = sm.GLM(y[rows], np.ones(len(rows)), family=sm.families.Binomial(),
                     offset=z[rows]).fit()  # fmt: skip
        assert offsets[i] == pytest.approx(glm.params[0], abs=1e-6)


def test_separated_records_have_no_slope():
    z = np.arange(10.0)
    assert np.isnan(slopes_and_intercepts(z, z > 4)).all()
    assert np.isnan(slopes_and_intercepts(z, np.ones(10))).all()
    assert np.isnan(intercepts(z, np.zeros(10))).all()
