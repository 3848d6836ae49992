from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import f1_score, log_loss

from ecgvision.core.errors import DataError
from ecgvision.evaluate.metrics import operating_points as O
from ecgvision.evaluate.metrics.policies import MAX_F1


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=40))
def test_threshold_has_the_best_f1_there_is(rows):
    p = np.array([level / 12 for level, _ in rows])
    y = np.array([positive for _, positive in rows])
    threshold = MAX_F1.threshold(p, y)
    if y.all() or not y.any():
        assert threshold is None
        return
    best = max(f1_score(y, p >= t, zero_division=0) for t in np.unique(p))
    assert f1_score(y, p >= threshold, zero_division=0) == pytest.approx(best, abs=1e-12)
    assert threshold not in p or threshold == 0  # between two scores, so that rounding is harmless


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_temperature_undoes_a_scale(scale):
    rng = np.random.default_rng(0)
    z = rng.normal(scale=2, size=(20_000, 2))
    y = rng.random(z.shape) < expit(z)
    temperature = O.fit_temperature(scale * z, y)
    assert temperature == pytest.approx(scale, rel=0.04)
    grid = [
        log_loss(y.ravel(), expit(scale * z / t).ravel())
        for t in (temperature * 0.97, temperature, temperature * 1.03)
    ]
    assert grid[1] == min(grid)


def test_a_temperature_on_a_bound_is_not_taken():
    y = np.array([[0], [1]] * 20)
    points = O.fit(4.0 * y - 2, y, ["A"])  # separable: the colder the better
    assert points.temperature == 1.0
    assert "temperature" in points.notes[0]


def test_labels_without_positives_or_negatives_keep_a_half():
    rng = np.random.default_rng(0)
    y = np.stack([np.zeros(50), np.ones(50), rng.random(50) < 0.5], axis=1)
    points = O.fit(rng.normal(size=(50, 3)) + y, y, ["NONE", "ALL", "SOME"])
    assert points.thresholds[:2] == (0.5, 0.5)
    said = " ".join(points.notes)
    assert "NONE kept at 0.5: no positives" in said
    assert "ALL kept at 0.5: no negatives" in said
    assert "SOME" not in said


def test_test_rows_never_change_operating_points(make_table):
    val = make_table(split="val")
    test = make_table(split="test", seed=1)
    expected = O.fit_from_table(pd.concat([val, test], ignore_index=True))
    spoiled = test.copy()
    for code in ("NORM", "MI", "CD"):
        spoiled[f"z_{code}"] = -100 * spoiled[f"z_{code}"]
        spoiled[f"y_{code}"] = 1 - spoiled[f"y_{code}"]
    assert O.fit_from_table(pd.concat([spoiled, val], ignore_index=True)) == expected
    assert O.fit_from_table(val) == expected
    shifted = val.assign(z_MI=val["z_MI"] + 1)
    assert O.fit_from_table(pd.concat([shifted, test], ignore_index=True)) != expected


def test_a_stream_without_validation_rows_is_refused(make_table):
    with pytest.raises(DataError, match="validation"):
        O.fit_from_table(make_table(split="test"))
    mixed = pd.concat([make_table(split="val"), make_table(split="test", stream="signal")])
    with pytest.raises(DataError, match="signal"):
        O.fit_from_table(mixed)


def test_apply_uses_each_streams_own_temperature(make_table):
    table = pd.concat([make_table(), make_table(stream="signal", seed=1)], ignore_index=True)
    codes = ("NORM", "MI", "CD")
    points = {
        s: O.OperatingPoints(t, (0.5,) * 3, codes) for s, t in (("image", 2.0), ("signal", 4.0))
    }
    out = O.apply(table, points)
    divisor = np.where(table["stream"] == "image", 2.0, 4.0)
    np.testing.assert_allclose(out["p_MI"], expit(table["z_MI"] / divisor))
    pd.testing.assert_frame_equal(O.apply(out, points), out)
    with pytest.raises(DataError, match="signal"):
        O.apply(table, {"image": points["image"]})
    with pytest.raises(DataError, match="other labels"):
        O.apply(table, dict.fromkeys(points, O.OperatingPoints(1.0, (0.5,), ("X",))))


def test_points_survive_json():
    points = O.OperatingPoints(1.25, (0.1, 0.7), ("B", "A"), ("a note",))
    assert O.OperatingPoints.from_dict(json.loads(json.dumps(points.to_dict()))) == points


@pytest.mark.parametrize(
    "bad",
    [
        (0.0, (0.5,), ("A",)),
        (1.0, (1.5,), ("A",)),
        (1.0, (0.5,), ("A", "B")),
        (float("nan"), (0.5,), ("A",)),
    ],
)
def test_impossible_points_are_refused(bad):
    with pytest.raises(DataError):
        O.OperatingPoints(*bad)


def test_empty_validation_is_refused():
    with pytest.raises(DataError, match="no validation record"):
        O.fit(np.zeros((0, 2)), np.zeros((0, 2)), ["A", "B"])
