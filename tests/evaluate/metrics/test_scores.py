from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ecgvision.core.errors import DataError
from ecgvision.evaluate.metrics import calibration
from ecgvision.evaluate.metrics.operating_points import apply, fit_from_table
from ecgvision.evaluate.metrics.scores import evaluate

CODES = ("NORM", "MI", "CD")


def whole(make_table, **options):
    return pd.concat(
        [make_table(split="val", **options), make_table(split="test", seed=1, **options)],
        ignore_index=True,
    )


def test_values_equal_scikit_learn(make_table):
    table = whole(make_table, n=200)
    points = fit_from_table(table)
    result = evaluate(table, points, draws=50)["test"]["image"]
    test = apply(table, points).query("split == 'test'")
    aurocs = []
    for code, threshold in zip(CODES, points["image"].thresholds, strict=True):
        y, p = test[f"y_{code}"], test[f"p_{code}"]
        found = result["per_class"][code]
        aurocs.append(sk.roc_auc_score(y, p))
        assert found["positives"] == y.sum()
        assert found["threshold"] == threshold
        assert found["auroc"]["value"] == pytest.approx(aurocs[-1], abs=1e-12)
        assert found["auprc"]["value"] == pytest.approx(sk.average_precision_score(y, p), abs=1e-12)
        for name, function in (
            ("precision", sk.precision_score),
            ("recall", sk.recall_score),
            ("f1", sk.f1_score),
        ):
            assert found[name]["value"] == pytest.approx(function(y, p >= threshold), abs=1e-12)
        for name in ("auroc", "auprc", "precision", "recall", "f1"):
            low, high = found[name]["ci95"]
            assert low <= found[name]["value"] <= high
    assert result["macro_auroc"]["value"] == pytest.approx(np.mean(aurocs), abs=1e-12)
    assert (result["n"], result["records"], result["patients"]) == (200, 200, 100)
    json.dumps(result, allow_nan=False)


def test_layouts_have_keys_of_their_own_and_pool_by_patient(make_table):
    tables = [
        make_table(split=split, layout=layout, seed=seed)
        for seed, (split, layout) in enumerate(
            (s, w) for s in ("val", "test") for w in ("3x4", "6x2")
        )
    ]
    tables += [make_table(split=s, stream="signal", layout="", seed=9) for s in ("val", "test")]
    table = pd.concat(tables, ignore_index=True)
    result = evaluate(table, fit_from_table(table), draws=30)["test"]
    assert list(result) == ["image", "image@3x4", "image@6x2", "signal"]
    assert (result["image"]["n"], result["image"]["patients"]) == (240, 60)
    assert (result["image@6x2"]["n"], result["image@6x2"]["patients"]) == (120, 60)


def test_a_label_without_positives_is_left_out_and_named(make_table):
    table = whole(make_table)
    points = fit_from_table(table)
    expected = evaluate(table, points, draws=20)["test"]["image"]["per_class"]
    table.loc[table["split"] == "test", "y_MI"] = 0
    result = evaluate(table, points, draws=20)
    assert result["skipped"] == ["MI"]
    image = result["test"]["image"]
    assert image["per_class"]["MI"]["auroc"] == {"value": None, "ci95": [None, None]}
    assert image["per_class"]["NORM"] == expected["NORM"]
    kept = [expected[c]["auroc"]["value"] for c in ("NORM", "CD")]
    assert image["macro_auroc"]["value"] == pytest.approx(np.mean(kept))


def test_all_labels_skipped_still_makes_json(make_table):
    table = whole(make_table)
    points = fit_from_table(table)
    table.loc[table["split"] == "test", [f"y_{c}" for c in CODES]] = 1
    result = evaluate(table, points, draws=5)
    assert result["skipped"] == list(CODES)
    assert result["test"]["image"]["macro_f1"]["value"] is None
    json.dumps(result, allow_nan=False)


def test_validation_rows_do_not_count(make_table):
    table = whole(make_table)
    points = fit_from_table(table)
    only_test = table[table["split"] == "test"]
    assert evaluate(table, points, draws=10) == evaluate(only_test, points, draws=10)
    with pytest.raises(DataError, match="no test row"):
        evaluate(table[table["split"] == "val"], points)
    with pytest.raises(DataError, match="image"):
        evaluate(table, {})


def test_seed_decides_the_interval(make_table):
    table = whole(make_table)
    points = fit_from_table(table)
    first = evaluate(table, points, draws=40, seed=1)
    assert first == evaluate(table, points, draws=40, seed=1)
    assert first != evaluate(table, points, draws=40, seed=2)


def test_order_of_rows_does_not_matter(make_table):
    table = whole(make_table)
    points = fit_from_table(table)
    shuffled = table.sample(frac=1, random_state=0)
    a, b = (evaluate(t, points, draws=20)["test"]["image"] for t in (table, shuffled))
    assert a["macro_auroc"]["value"] == pytest.approx(b["macro_auroc"]["value"], abs=1e-12)
    assert a["macro_auroc"]["ci95"] == pytest.approx(b["macro_auroc"]["ci95"], abs=1e-12)
    assert a["ece"] == pytest.approx(b["ece"])


def test_brier_and_reliability_against_scikit_learn():
    rng = np.random.default_rng(0)
    p = rng.random(2000)
    y = rng.random(2000) < p**2
    assert calibration.brier(p, y) == pytest.approx(sk.brier_score_loss(y, p))
    from sklearn.calibration import calibration_curve

    observed, predicted = calibration_curve(y, p, n_bins=10, strategy="quantile")
    found = calibration.reliability(p, y)
    np.testing.assert_allclose(found.predicted, predicted)
    np.testing.assert_allclose(found.observed, observed)
    assert found.records.sum() == 2000
    assert calibration.ece(p, y) == pytest.approx(np.mean(np.abs(observed - predicted)), abs=1e-3)


def test_equal_probabilities_share_a_bin():
    found = calibration.reliability([0.2] * 50 + [0.8] * 50, [0] * 40 + [1] * 10 + [1] * 50)
    np.testing.assert_allclose(found.predicted, [0.2, 0.8])
    np.testing.assert_allclose(found.observed, [0.2, 1.0])
    assert calibration.ece([0.3] * 10, [1, 1, 1] + [0] * 7) == pytest.approx(0)
