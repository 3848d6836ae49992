"""Assessments: thresholds from validation alone, rates and benefits against plain counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ecgvision.core.errors import DataError
from ecgvision.evaluate.assessment import decisions
from ecgvision.evaluate.assessment.answers import Answers
from ecgvision.evaluate.assessment.assess import assess, fit_points
from ecgvision.evaluate.assessment.settings import POLICIES, AssessmentSettings
from ecgvision.evaluate.assessment.subgroups import groups_of, subgroup_table
from ecgvision.evaluate.metrics import calibration, operating_points
from ecgvision.evaluate.metrics.operating_points import OperatingPoints

FEW = AssessmentSettings(draws=20)


@pytest.fixture
def table(make_table):
    return pd.concat([make_table(split="val"), make_table()], ignore_index=True)


@pytest.fixture
def answers(make_table):
    rows = make_table(200)
    return Answers.of(rows, OperatingPoints(2.0, (0.5, 0.3, 0.2), ("NORM", "MI", "CD")), draws=60)


def test_thresholds_do_not_change_with_the_test_rows(table):
    """Whatever stands in test rows, operating points and every policy's thresholds stay."""
    settings = AssessmentSettings(draws=2, scaling="per_class")
    before = assess(table, settings)
    rng = np.random.default_rng(0)
    test = (table["split"] == "test").to_numpy()
    leaked = table.copy()
    for code in ("NORM", "MI", "CD"):
        leaked.loc[test, f"y_{code}"] = rng.permutation(leaked.loc[test, f"y_{code}"])
        leaked.loc[test, f"z_{code}"] = 10 * rng.normal(size=test.sum())
    after = assess(leaked, settings)
    assert after.points == before.points
    for name in ("operating_points", "budgets"):
        found, expected = after.tables[name], before.tables[name]
        assert list(found["policy"]) == list(expected["policy"])
        np.testing.assert_array_equal(found["threshold"], expected["threshold"])
        assert not np.array_equal(found["tp"], expected["tp"])


def test_what_is_tuned_on_test_is_called_oracle(table):
    found = assess(table, AssessmentSettings(policies=("max_f1", "fixed:0.5"), oracle=True,
                                             draws=2)).tables["operating_points"]  # fmt: skip
    assert list(found["policy"].unique()) == ["max_f1", "fixed:0.5", "oracle_max_f1"]
    f1 = found.pivot(index="label", columns="policy", values="f1")
    assert (f1["oracle_max_f1"] >= f1["max_f1"]).all()
    plain = assess(table, FEW).tables["operating_points"]
    assert list(plain["policy"].unique()) == list(POLICIES)


def test_without_validation_nothing_is_fitted(make_table):
    test = make_table()
    found = assess(test, FEW)
    assert found.points["image"].policy == "fixed:0.5"
    assert found.points["image"].temperature == 1
    assert "no validation rows" in found.notes[0]
    assert "budgets" not in found.tables
    oracle = assess(test, AssessmentSettings(draws=2, oracle=True)).tables["operating_points"]
    assert list(oracle["policy"].unique()) == ["fixed:0.5", *(f"oracle_{p}" for p in POLICIES)]
    for policy in ("youden", "sensitivity>=0.9"):
        with pytest.raises(DataError, match=f"{policy} needs validation rows.*test rows are never"):
            fit_points(test, AssessmentSettings(policies=(policy,)))
    with pytest.raises(DataError, match="no test row"):
        assess(make_table(split="val"), FEW)


def test_rates_are_plain_counts(answers):
    found = decisions.rates(answers, answers.called, "max_f1", answers.points.thresholds)
    for c, row in found.iterrows():
        y, called = answers.y[:, c], answers.called[:, c]
        assert row["sensitivity"] == pytest.approx(sk.recall_score(y, called))
        assert row["specificity"] == pytest.approx(sk.recall_score(~y, ~called))
        assert row["ppv"] == pytest.approx(sk.precision_score(y, called))
        assert row["npv"] == pytest.approx(sk.precision_score(~y, ~called))
        assert row["f1"] == pytest.approx(sk.f1_score(y, called))
        assert row["alerts_per_1000"] == pytest.approx(1000 * called.mean())
        assert row["specificity_low"] < row["specificity"] < row["specificity_high"]


def test_sums_of_draws_are_those_of_resampled_records(answers):
    values = np.random.default_rng(0).normal(size=(200, 2))
    found = answers.sums(values)
    np.testing.assert_allclose(found[0], values.sum(axis=0))
    for draw in (0, 59):
        weights = answers.drawn[draw, answers.patients]
        np.testing.assert_allclose(found[1 + draw], weights @ values)


def test_net_benefit_follows_its_formula(answers):
    found = decisions.net_benefit(answers, np.array([0.1, 0.4]))
    row = found[(found["label"] == "MI") & (found["threshold"] == 0.4)].iloc[0]
    y, called = answers.y[:, 1], answers.p[:, 1] >= 0.4
    expected = (called & y).mean() - (called & ~y).mean() * 0.4 / 0.6
    assert row["net_benefit"] == pytest.approx(expected)
    assert row["call_all"] == pytest.approx(y.mean() - (1 - y.mean()) * 0.4 / 0.6)


def test_prevalence_of_the_records_gives_back_their_predictive_values(answers):
    observed = float(answers.y[:, 1].mean())
    found = decisions.prevalence(answers, (observed, 0.0))
    row = found[(found["label"] == "MI") & (found["prevalence"] == observed)].iloc[0]
    assert row["ppv"] == pytest.approx(sk.precision_score(answers.y[:, 1], answers.called[:, 1]))
    assert row["alerts_per_1000"] == pytest.approx(1000 * answers.called[:, 1].mean())
    assert found[(found["label"] == "MI") & (found["prevalence"] == 0)].iloc[0]["ppv"] == 0


def test_the_surest_records_are_kept(make_table):
    rows = make_table(200, skill=3)
    points = operating_points.fit_from_table(rows.assign(split="val"))["image"]
    answers = Answers.of(rows, points, draws=20)
    found = decisions.risk_coverage(answers, (1.0, 0.5))
    wrong = answers.called != answers.y
    assert found["risk"][0] == pytest.approx(wrong.mean())
    assert list(found["records"]) == [200, 100]
    assert found["risk"][1] < found["risk"][0]
    assert found["any_wrong"][0] == pytest.approx(wrong.any(axis=1).mean())


def test_calibration_is_that_of_the_metrics(table):
    found = assess(table, FEW).tables["calibration"].set_index("label")
    points = fit_points(table, FEW)[0]["image"]
    test = table[table["split"] == "test"]
    p, y = points.probabilities(test["z_MI"].to_numpy()[:, None] * np.ones(3))[:, 1], test["y_MI"]
    assert found.loc["MI", "brier"] == pytest.approx(sk.brier_score_loss(y, p))
    assert found.loc["MI", "ece"] == pytest.approx(calibration.ece(p, y))
    row = found.loc["MI"]
    assert row["miscalibration"] - row["discrimination"] + row["uncertainty"] == pytest.approx(
        row["brier"]
    )
    assert row["slope_low"] < row["slope"] < row["slope_high"]
    assert found.loc["macro", "brier"] == pytest.approx(found["brier"][["NORM", "MI", "CD"]].mean())


def test_parts_of_the_brier_score_by_isotonic_regression():
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(0)
    p = np.round(rng.random(150), 1)  # ties
    y = rng.random(150) < p**2
    fitted = IsotonicRegression().fit_transform(p, y)
    parts = calibration.brier_parts(p, y)
    assert parts.miscalibration == pytest.approx(
        sk.brier_score_loss(y, p) - sk.brier_score_loss(y, fitted)
    )
    assert parts.discrimination == pytest.approx(
        y.mean() * (1 - y.mean()) - sk.brier_score_loss(y, fitted)
    )
    perfect = calibration.brier_parts(y.astype(float), y)
    assert perfect.miscalibration == pytest.approx(0)
    assert perfect.discrimination == pytest.approx(perfect.uncertainty)


def test_small_cells_are_suppressed(answers):
    n = len(answers.y)
    groups = groups_of(pd.DataFrame({
        "sex": np.where(np.arange(n) % 2, "f", "m"), "age": np.r_[np.full(n - 10, 50), [80] * 10],
        "site": "one", "flags": ["[]"] * 50 + ['["drift"]'] * (n - 50), "device": [None] * 30 + ["x"] * (n - 30)}))  # fmt: skip
    assert list(groups.columns) == ["sex", "age", "device", "flags"]  # one site makes no groups
    found = subgroup_table(answers, groups)
    assert set(found.loc[found["group"] == "a finding", "records"]) == {"150"}
    old = found[found["group"] == "75 and over"]
    assert list(old["records"]) == ["<20"]
    assert old[["auroc", "sensitivity", "auroc_gap"]].isna().all(axis=None)
    few = found[(found["subgroup"] == "device") & (found["group"] == "unknown")]
    assert set(few["records"]) == {"30"}
    assert few.loc[few["label"] == "CD", "positives"].item() == "<20"
    women = found[(found["group"] == "f") & (found["label"] == "NORM")].iloc[0]
    inside = np.arange(n) % 2 == 1
    by_sk = [sk.roc_auc_score(answers.y[m, 0], answers.z[m, 0]) for m in (inside, ~inside)]
    assert women["auroc"] == pytest.approx(by_sk[0])
    assert women["auroc_gap"] == pytest.approx(by_sk[0] - by_sk[1])
    assert women["auroc_gap_low"] < women["auroc_gap"] < women["auroc_gap_high"]


def test_subgroups_come_from_the_records(table):
    records = pd.DataFrame({"record_id": [f"test-{i}" for i in range(120)],
                            "ward": ["a", "b"] * 60})  # fmt: skip
    found = assess(table, AssessmentSettings(draws=5, subgroups=("ward",)), records=records)
    assert set(found.tables["subgroups"]["subgroup"]) == {"ward"}
    with pytest.raises(DataError, match="no such column"):
        assess(table, AssessmentSettings(draws=5, subgroups=("hospital",)), records=records)
