"""The study's table against plain loops, and the properties that make it honest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecgvision.core.errors import DataError
from ecgvision.evaluate import predictions
from ecgvision.evaluate.metrics.bootstrap import weight_blocks
from ecgvision.evaluate.metrics.paired import p_value, paired
from ecgvision.evaluate.metrics.strata import strata_of
from ecgvision.evaluate.study.table import Arm, study_table

SKILLS = {"3x4": 2.0, "6x2": 1.6, "12x1": 1.0}


@pytest.fixture
def make_run(make_table):
    """make_run(seed, ...): one run's test rows in every layout, its noise from (seed, layout)."""

    def make(seed=0, *, n=80, skills=SKILLS, extra=0.0, **options):
        return pd.concat(
            [
                make_table(n, layout=layout, seed=100 * seed + i, skill=skill + extra, **options)
                for i, (layout, skill) in enumerate(skills.items())
            ],
            ignore_index=True,
        )

    return make


def loop(tables, layout, weights=None):
    """Mean over seeds of macro AUROC, from scikit-learn on the physically resampled rows."""
    values = []
    for table in tables:
        rows = predictions.select(table, layout=layout).sort_values("record_id")
        if weights is not None:
            rows = rows.iloc[np.repeat(np.arange(len(rows)), weights)]
        codes = [c for c in predictions.codes_of(rows) if 0 < rows[f"y_{c}"].mean() < 1]
        values.append(np.mean([roc_auc_score(rows[f"y_{c}"], rows[f"z_{c}"]) for c in codes]))
    return np.mean(values)


def test_every_figure_equals_a_plain_loop(make_run):
    tables = {
        "weak": [make_run(s, extra=-0.8) for s in (1, 2)],
        "full": [make_run(s) for s in (3, 4)],
    }
    arms = [
        Arm(name, [t.sample(frac=1, random_state=0) for t in ts], "image")
        for name, ts in tables.items()
    ]
    table = study_table(arms, reference="full", views=list(SKILLS), draws=15, seed=5)

    one = predictions.select(tables["full"][0], layout="3x4").sort_values("record_id")
    patients = np.unique(one["patient_id"], return_inverse=True)[1]
    strata = strata_of(patients, predictions.targets_of(one))
    draws = np.concatenate(list(weight_blocks(patients, 15, 5, strata)))
    values = {a: np.array([loop(ts, v) for v in SKILLS]) for a, ts in tables.items()}
    drawn = {
        a: np.array([[loop(ts, v, w) for w in draws] for v in SKILLS]) for a, ts in tables.items()
    }
    each = {a: np.array([[loop([t], v) for t in ts] for v in SKILLS]) for a, ts in tables.items()}
    figures = {("view", v): (lambda x, i=i: x[i]) for i, v in enumerate(SKILLS)}
    figures |= {
        ("mean", ""): lambda x: x.mean(axis=0),
        ("range", ""): lambda x: x.max(0) - x.min(0),
    }
    assert table.measures == list(figures)
    assert table.headline == ("mean", "")
    for measure, of in figures.items():
        for arm in tables:
            entry = table.entry(arm, measure)
            assert entry.value == pytest.approx(of(values[arm]), abs=1e-12)
            np.testing.assert_allclose(
                entry.ci95, np.quantile(of(drawn[arm]), [0.025, 0.975]), atol=1e-12
            )
            np.testing.assert_allclose(entry.seeds, of(each[arm]), atol=1e-12)
            assert entry.sd == pytest.approx(
                np.diff(of(each[arm]))[0] / 2**0.5 * np.sign(np.diff(of(each[arm]))[0])
            )
            assert entry.bias == pytest.approx(of(drawn[arm]).mean() - of(values[arm]), abs=1e-12)
        d = of(drawn["weak"]) - of(drawn["full"])
        found = table.entry("weak", measure).difference
        assert found.value == pytest.approx(of(values["weak"]) - of(values["full"]), abs=1e-12)
        np.testing.assert_allclose(found.ci95, np.quantile(d, [0.025, 0.975]), atol=1e-12)
        assert found.p == p_value(d)
        assert found.sd == pytest.approx(np.std(of(each["weak"]) - of(each["full"]), ddof=1))
        assert table.entry("full", measure).difference is None


def test_one_seed_and_view_is_the_paired_comparison(make_table):
    a, b = make_table(seed=1), make_table(seed=2, skill=0.7)
    table = study_table(
        [Arm("a", [a], "image"), Arm("b", [b], "image")], reference="b", draws=50, seed=9
    )
    expected = paired(a, b, draws=50, seed=9)["macro_auroc"]
    entry = table.entry("a", table.headline)
    assert table.measures == [("view", "3x4")]
    assert (entry.value, entry.sd) == (expected["a"], None)
    assert entry.difference.value == expected["difference"]
    assert list(entry.difference.ci95) == expected["ci95"]
    assert entry.difference.p == expected["p"]


def test_a_copy_in_another_order_does_not_differ_at_all(make_run):
    runs = [make_run(s) for s in range(3)]
    copy = [t.sample(frac=1, random_state=1) for t in runs[::-1]]
    table = study_table([Arm("a", runs, "image"), Arm("b", copy, "image")], reference="a", draws=30)
    for measure in table.measures:
        difference = table.entry("b", measure).difference
        assert (difference.value, difference.ci95, difference.p) == (0.0, (0.0, 0.0), 1.0)


def test_noise_costs_and_the_interval_says_so(make_run):
    rng = np.random.default_rng(0)
    runs = [make_run(s, n=200) for s in range(2)]
    noisy = [
        t.assign(**{c: t[c] + rng.normal(0, 6, len(t)) for c in t if c.startswith("z_")})
        for t in runs
    ]
    table = study_table(
        [Arm("a", runs, "image"), Arm("b", noisy, "image")], reference="a", draws=300
    )
    difference = table.entry("b", ("mean", "")).difference
    assert difference.ci95[0] < difference.value < difference.ci95[1] < 0
    assert difference.p < 0.02


def test_a_layout_that_fails_widens_the_range(make_run):
    even = [make_run(s, n=200, skills=dict.fromkeys(SKILLS, 1.5)) for s in range(2)]
    uneven = [make_run(s, n=200, skills=SKILLS | {"12x1": 0.2}) for s in range(2)]
    table = study_table(
        [Arm("even", even, "image"), Arm("uneven", uneven, "image")], reference="uneven", draws=200
    )
    assert table.entry("even", ("range", "")).difference.ci95[1] < 0
    assert table.entry("even", ("range", "")).bias > 0


def test_more_patients_narrow_every_interval(make_run):
    widths = []
    for n in (60, 960):
        arm = Arm("a", [make_run(0, n=n)], "image")
        table = study_table([arm], reference=None, draws=300)
        widths.append([np.ptp(table.entry("a", m).ci95) for m in table.measures if m[0] != "range"])
    ratio = np.divide(*widths)
    assert (ratio > 2).all()  # 4 in the limit: sixteen times the patients
    assert (ratio < 8).all()


def test_intervals_hold_the_truth_about_as_often_as_they_say(make_table):
    from scipy.stats import norm

    inside = []
    for seed in range(60):
        records = make_table(150, seed=seed)
        y = np.random.default_rng([7, seed]).random(150) < 0.4
        z = np.random.default_rng([8, seed]).normal(size=150) + y
        one = predictions.build(records, split="test", stream="s", layout="l", artefact="",
                                logits=z[:, None], targets=y[:, None], codes=["A"])  # fmt: skip
        low, high = (
            study_table([Arm("a", [one], "s")], reference=None, draws=200)
            .entry("a", ("view", "l"))
            .ci95
        )
        inside.append(low <= norm.cdf(1 / 2**0.5) <= high)
    assert 0.8 < np.mean(inside) <= 1  # 95 %: at worst 5 standard errors off


def test_other_streams_and_splits_play_no_part(make_run):
    run = make_run(1)
    other = pd.concat(
        [run, make_run(2, split="val"), make_run(3, stream="signal")], ignore_index=True
    )
    tables = [study_table([Arm("a", [t], "image")], reference=None, draws=5) for t in (run, other)]
    assert tables[0] == tables[1]


def test_an_undefined_label_is_left_out_and_named(make_run):
    run = make_run().assign(y_CD=0)
    table = study_table([Arm("a", [run], "image")], reference=None, draws=5)
    assert table.skipped == dict.fromkeys(SKILLS, ("CD",))
    assert table.entry("a", ("view", "6x2")).value == pytest.approx(loop([run], "6x2"))
    assert set(table.frame()["skipped"]) == {"CD"}
    with pytest.raises(DataError, match="positives and negatives"):
        study_table([Arm("a", [run.assign(y_MI=0, y_NORM=1)], "image")], reference=None, draws=5)


def test_patients_are_drawn_from_all_views(make_run):
    """A view that holds half the records meets the same draws as one that holds them all."""
    run = make_run(n=60, skills={"3x4": 1.5, "6x2": 1.5})
    half = run[(run["layout"] == "3x4") | (run["record_id"].str[5:].astype(int) < 30)]
    table = study_table([Arm("a", [half], "image")], reference=None, draws=25, seed=2)
    one = predictions.select(half, layout="3x4").sort_values("record_id")
    patients = np.unique(one["patient_id"], return_inverse=True)[1]
    keep = one["record_id"].isin(half.loc[half["layout"] == "6x2", "record_id"]).to_numpy()
    strata = strata_of(patients, predictions.targets_of(one))
    drawn = [
        loop([half], "6x2", w[keep])
        for w in np.concatenate(list(weight_blocks(patients, 25, 2, strata)))
    ]
    np.testing.assert_allclose(
        table.entry("a", ("view", "6x2")).ci95, np.quantile(drawn, [0.025, 0.975]), atol=1e-12
    )


def test_long_form_holds_every_figure(make_run):
    arms = [
        Arm("a", [make_run(0), make_run(1)], "image", x=0.1, group="g"),
        Arm("b", [make_run(2)], "image"),
    ]
    table = study_table(arms, reference="a", draws=5)
    frame = table.frame()
    assert len(frame) == 2 * (3 + 2)
    row = frame[(frame["arm"] == "a") & (frame["view"] == "6x2")].iloc[0]
    entry = table.entry("a", ("view", "6x2"))
    assert (row["macro_auroc"], row["low"], row["high"], row["sd"]) == (
        entry.value,
        *entry.ci95,
        entry.sd,
    )
    assert tuple(map(float, row["values"].split(";"))) == entry.seeds
    assert (row["seeds"], row["x"], row["group"], row["records"], row["patients"]) == (
        2,
        0.1,
        "g",
        80,
        40,
    )
    assert frame.loc[frame["arm"] == "a", "difference"].isna().all()
    other = frame[(frame["arm"] == "b") & (frame["kind"] == "range")].iloc[0]
    assert other["difference"] == table.entry("b", ("range", "")).difference.value
    assert np.isnan(other["sd"])
    assert np.isnan(other["difference_sd"])
    assert other["records"] == 240
