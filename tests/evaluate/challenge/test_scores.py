"""The Challenges' scores against the official weights, hand-made cases and a plain loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, fbeta_score

from ecgvision.core.errors import DataError
from ecgvision.evaluate.challenge.points import GRID, fit_points, fit_thresholds
from ecgvision.evaluate.challenge.scores import (
    CHALLENGES,
    challenge_metric,
    metric_interval,
    read_weights,
    score,
)
from ecgvision.labels.schemes import SCHEMES
from tests.real_data import real_data

BOTH = pytest.mark.parametrize("name", ["cinc2020", "cinc2021"])


# What the officials' evaluate_12ECG_score.py (2020: metric, accuracy, F1, F2, G2) and evaluate_model.py
# (2021: metric, accuracy, F1) answer for made(name, 20, 300, 0.1).
OFFICIAL = {
    "cinc2020": (0.6299732683693925, 0.2966666666666667, 0.7189004929337895, 0.6920765701963124, 0.42707987029783534),
    "cinc2021": (0.6535765236660435, 0.20666666666666667, 0.7231934923643952),
}  # fmt: skip


def made(name: str, seed: int, records: int = 60, rate: float = 0.15):
    """Targets, and calls that are right more often than not."""
    rng = np.random.default_rng(seed)
    y = rng.random((records, len(CHALLENGES[name].codes))) < rate
    o = np.where(rng.random(y.shape) < 0.7, y, rng.random(y.shape) < rate)
    return y, o


def looped(y, o, weights, inactive: int) -> float:
    """The formula word by word, record by record, class by class."""

    def total(calls) -> float:
        points = 0.0
        for true, called in zip(y, calls, strict=True):
            labels, outputs = set(np.flatnonzero(true)), set(np.flatnonzero(called))
            for i in labels:
                for j in outputs:
                    points += weights[i, j] / max(len(labels | outputs), 1)
        return points

    always = np.zeros_like(y)
    always[:, inactive] = True
    right, zero = total(y), total(always)
    return (total(o) - zero) / (right - zero) if right != zero else 0.0


def calls(name: str, *records: str) -> np.ndarray:
    codes = CHALLENGES[name].codes
    return np.array([[c in record.split() for c in codes] for record in records])


@BOTH
def test_classes_are_the_schemes(name):
    assert CHALLENGES[name].codes == SCHEMES[name].codes
    assert CHALLENGES[name].codes[CHALLENGES[name].inactive] == "NSR"


@BOTH
def test_weights_equal_the_official_table(name):
    file = real_data(f"{name}/weights.csv")
    table = pd.read_csv(file, index_col=0)
    official = {str(code): row for code, row in zip(table.index, table.to_numpy(), strict=True)}
    order = {str(code): i for i, code in enumerate(table.index)}
    ours = CHALLENGES[name]
    concepts = SCHEMES[name].statements
    rows = [[k for k in order if set(k.split("|")) & set(concepts[c])] for c in ours.codes]
    assert sorted(k for keys in rows for k in keys) == sorted(order)  # every row, once
    for i, keys in enumerate(rows):
        for key in keys:
            for j, others in enumerate(rows):
                for other in others:
                    assert ours.weights[i, j] == official[key][order[other]]
    np.testing.assert_array_equal(read_weights(file, name).weights, ours.weights)


def test_weights_are_those_published():
    # A few cells of both tables, for where the tables themselves are not at hand.
    for name, true, called, reward in (
        ("cinc2020", "AF", "AFL", 0.5), ("cinc2020", "IAVB", "QAb", 0.2), ("cinc2020", "LBBB", "LQT", 0.475),
        ("cinc2020", "PAC/SVPB", "NSR", 0.4125), ("cinc2020", "NSR", "QAb", 0.15), ("cinc2021", "BBB", "CLBBB/LBBB", 0.475),
        ("cinc2021", "LQRSV", "PRWP", 0.475), ("cinc2021", "PRWP", "LQRSV", 0.475), ("cinc2021", "TAb", "TInv", 0.5),
    ):  # fmt: skip
        c = CHALLENGES[name]
        assert c.weights[c.codes.index(true), c.codes.index(called)] == reward
    for c in CHALLENGES.values():
        assert (np.diag(c.weights) == 1).all()
        assert (c.weights == c.weights.T).all()


def test_cases_by_hand():
    c = CHALLENGES["cinc2020"]
    y = calls("cinc2020", "AF", "NSR", "")
    # Right: 1 + 1. Inactive: .25 / 2 for AF, 1 for NSR; a record without a label earns nothing.
    assert challenge_metric(y, y, c) == 1.0
    assert challenge_metric(y, calls("cinc2020", "NSR", "NSR", "NSR"), c) == 0.0
    # AFL for AF earns .5 / 2: (1.25 - 1.125) / (2 - 1.125).
    assert challenge_metric(y, calls("cinc2020", "AFL", "NSR", "QAb"), c) == pytest.approx(1 / 7)
    # AF and AFL for AF: (1 + .5) / 2 = .75, so (1.75 - 1.125) / .875.
    assert challenge_metric(y, calls("cinc2020", "AF AFL", "NSR", ""), c) == pytest.approx(5 / 7)
    # Nothing called: (0 - 1.125) / .875.
    assert challenge_metric(y, np.zeros_like(y), c) == pytest.approx(-9 / 7)
    # Only sinus rhythm: right and inactive coincide.
    only = calls("cinc2020", "NSR", "NSR")
    assert challenge_metric(only, ~only, c) == 0.0

    s = score(calls("cinc2020", "AF NSR", "AF", ""), calls("cinc2020", "AF", "AF NSR", "SB"), c)
    assert s.accuracy == 0.0
    assert s.macro_f1 == pytest.approx((1 + 0 + 0) / 3)  # AF; NSR; SB; the others have none
    # NSR: FN 1/2, FP 1; AF: TP 1/2 + 1; SB: FP 1.
    assert (s.macro_f2, s.macro_g2) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    s = score(calls("cinc2020", "AF NSR", "AF"), calls("cinc2020", "AF", "NSR"), c)
    # AF: TP 1/2, FN 1: F2 = 2.5/(2.5 + 4), G2 = .5/(.5 + 2). NSR: none right.
    assert s.macro_f2 == pytest.approx(2.5 / 6.5 / 2)
    assert s.macro_g2 == pytest.approx(0.2 / 2)
    empty = np.zeros((2, 24))
    assert score(empty, empty, c).macro_f1 is None
    assert score(empty, empty, c).accuracy == 1.0


@BOTH
@given(
    seed=st.integers(0, 10_000), records=st.integers(1, 25), rate=st.sampled_from([0.02, 0.2, 0.6])
)
def test_the_metric_equals_a_plain_loop(name, seed, records, rate):
    c = CHALLENGES[name]
    y, o = made(name, seed, records, rate)
    assert challenge_metric(y, o, c) == pytest.approx(looped(y, o, c.weights, c.inactive), abs=1e-9)


@BOTH
def test_the_other_scores_equal_sklearns(name):
    y, o = made(name, 3, 400)
    s = score(y, o, CHALLENGES[name])
    assert s.accuracy == np.mean([np.array_equal(a, b) for a, b in zip(y, o, strict=True)])
    assert s.macro_f1 == pytest.approx(f1_score(y, o, average="macro"))
    weight = 1 / np.maximum(y.sum(1), 1)
    f2 = [fbeta_score(y[:, k], o[:, k], beta=2, sample_weight=weight) for k in range(y.shape[1])]
    assert s.macro_f2 == pytest.approx(np.mean(f2))
    g2 = []
    for k in range(y.shape[1]):
        tp, fp, fn = (
            weight[m].sum() for m in (y[:, k] & o[:, k], ~y[:, k] & o[:, k], y[:, k] & ~o[:, k])
        )
        g2.append(tp / (tp + fp + 2 * fn))
    assert s.macro_g2 == pytest.approx(np.mean(g2))


def test_the_official_scorers_answers():
    for name, expected in OFFICIAL.items():
        y, o = made(name, 20, 300, 0.1)
        s = score(y, o, CHALLENGES[name])
        got = (s.challenge_metric, s.accuracy, s.macro_f1, s.macro_f2, s.macro_g2)
        assert got[: len(expected)] == pytest.approx(expected, abs=1e-12)


def test_intervals_hold_the_value_and_widen_with_patients():
    c = CHALLENGES["cinc2021"]
    y, o = made("cinc2021", 5, 300)
    value = challenge_metric(y, o, c)
    alone = metric_interval(y, o, np.arange(300), c, draws=400)
    # The same records thrice, as three records of each patient, say nothing new.
    thrice = metric_interval(
        np.tile(y, (3, 1)), np.tile(o, (3, 1)), np.tile(np.arange(300), 3), c, draws=400
    )
    loose = metric_interval(np.tile(y, (3, 1)), np.tile(o, (3, 1)), np.arange(900), c, draws=400)
    assert alone is not None
    assert thrice is not None
    assert loose is not None
    assert alone[0] < value < alone[1]
    np.testing.assert_allclose(thrice, alone, rtol=1e-9)
    assert loose[1] - loose[0] < 0.75 * (alone[1] - alone[0])


def probabilities(name: str, seed: int, records: int = 150):
    y, _ = made(name, seed, records)
    rng = np.random.default_rng(seed + 1)
    return y, np.clip(0.35 * y + 0.65 * rng.random(y.shape), 0, 1)


@BOTH
def test_no_single_threshold_and_no_shared_one_is_better(name):
    c = CHALLENGES[name]
    y, p = probabilities(name, 8)
    grid = (0.2, 0.35, 0.5, 0.65)
    chosen = np.array(fit_thresholds(p, y, c, grid))
    assert set(chosen) <= set(grid)
    assert len(set(chosen)) > 1
    best = looped(y, p >= chosen, c.weights, c.inactive)
    for t in grid:
        assert looped(y, p >= t, c.weights, c.inactive) <= best + 1e-9
    for k in range(len(chosen)):
        for t in grid:
            other = chosen.copy()
            other[k] = t
            assert looped(y, p >= other, c.weights, c.inactive) <= best + 1e-9


def test_thresholds_find_a_planted_optimum():
    c = CHALLENGES["cinc2020"]
    rng = np.random.default_rng(0)
    y = rng.random((500, 24)) < 0.2
    planted = rng.choice(GRID[2:-2], 24)
    p = np.where(y, planted + 0.02, planted - 0.02)
    assert challenge_metric(y, p >= np.array(fit_thresholds(p, y, c)), c) == 1.0
    assert fit_thresholds(p, y, c) == tuple(planted)


def test_operating_points_decide_as_the_thresholds_do():
    c = CHALLENGES["cinc2021"]
    y, p = probabilities("cinc2021", 4)
    z = 3 * np.log(np.clip(p, 1e-6, 1 - 1e-6) / np.clip(1 - p, 1e-6, 1))
    points = fit_points(z, y, c)
    assert points.codes == c.codes
    assert 1 < points.temperature < 20  # the logits were three times too sure
    decided = points.decisions(points.probabilities(z))
    assert challenge_metric(y, decided, c) > challenge_metric(y, z >= 0, c)


def test_what_does_not_fit_is_refused(tmp_path):
    c = CHALLENGES["cinc2020"]
    y, o = made("cinc2020", 0)
    for targets, called in (
        (y[:, :5], o[:, :5]),
        (y, o[:5]),
        (y[:0], o[:0]),
        (y[0], o[0]),
        (y * 2, o),
    ):
        with pytest.raises(DataError):
            score(targets, called, c)
    for grid in ((), (0.5, 1.5)):
        with pytest.raises(DataError, match="grid"):
            fit_thresholds(o, y, c, grid)
    file = tmp_path / "weights.csv"
    with pytest.raises(DataError, match="unknown challenge"):
        read_weights(file, "cinc2019")
    with pytest.raises(DataError, match=r"weights\.csv.*cannot be read"):
        read_weights(file, "cinc2020")
    file.write_text(",1,2\n1,1,0\n3,0,1\n")
    with pytest.raises(DataError, match="rows must be the columns"):
        read_weights(file, "cinc2020")
    file.write_text(",270492004\n270492004,1\n")
    with pytest.raises(DataError, match=r"lack a class.*AF"):
        read_weights(file, "cinc2020")
    concepts = [s for codes in SCHEMES["cinc2020"].statements.values() for s in codes]
    table = pd.DataFrame(np.eye(27), concepts, concepts)
    table.to_csv(file)
    with pytest.raises(DataError, match=r"equivalent codes.*CRBBB/RBBB"):
        read_weights(file, "cinc2020")
