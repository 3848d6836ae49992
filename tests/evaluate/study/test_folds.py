"""Cross-validation: every figure against plain loops, and what must be refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.evaluate import predictions
from ecgvision.evaluate.challenge.points import fit_points
from ecgvision.evaluate.challenge.scores import CHALLENGES, metric_interval, score
from ecgvision.evaluate.metrics import operating_points
from ecgvision.evaluate.metrics.bootstrap import patients_of, weight_blocks
from ecgvision.evaluate.metrics.strata import strata_of
from ecgvision.evaluate.study.folds import Fold, cross_validate
from ecgvision.evaluate.study.folds_report import MEAN, POOLED, frame, notes, write_folds
from ecgvision.evaluate.study.report import FILES

CODES = ("NORM", "MI", "CD")
FOLDS = [Fold((1,), (3,)), Fold((2,), (1,)), Fold((3,), (2,))]
LAYOUTS = ("3x4", "12x1")


def cohort(codes: tuple[str, ...], each: int = 40) -> pd.DataFrame:
    """Two records a patient, `each` records a fold."""
    n = 3 * each
    y = np.random.default_rng(0).random((n, len(codes))) < np.linspace(0.5, 0.2, len(codes))
    table = pd.DataFrame({
        "record_id": [f"r{i:03d}" for i in range(n)],
        "patient_id": [f"p{i // 2}" for i in range(n)],
        "fold": np.arange(n) // each + 1,
    })  # fmt: skip
    return table.join(pd.DataFrame(y, columns=list(codes)))


def one_run(people: pd.DataFrame, fold: Fold, seed: int, streams=("image",), *, scale=2.0):
    codes = tuple(people.columns[3:])
    parts = []
    for split, numbers in (("val", fold.val), ("test", fold.test)):
        rows = people[people["fold"].isin(numbers)].reset_index(drop=True)
        y = rows[list(codes)].to_numpy()
        for s, stream in enumerate(streams):
            for i, layout in enumerate(LAYOUTS):
                rng = np.random.default_rng([seed, fold.test[0], s, i, split == "val"])
                z = scale * fold.test[0] * (1.5 * y - 0.7 + rng.normal(size=y.shape))
                parts.append(predictions.build(rows, split=split, stream=stream, layout=layout,
                                               artefact="clean", logits=z, targets=y,
                                               codes=codes).sample(frac=1, random_state=seed))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def runs(people, seeds=(1, 2), **options):
    return [[one_run(people, fold, seed, **options) for fold in FOLDS] for seed in seeds]


def auroc(rows: pd.DataFrame) -> float:
    return np.mean([roc_auc_score(rows[f"y_{c}"], rows[f"z_{c}"]) for c in CODES])


def pooled_rows(tables: list[pd.DataFrame], layout: str) -> pd.DataFrame:
    """Test rows of all folds, each over the temperature of its own validation rows."""
    parts = []
    for table in tables:
        val = predictions.select(table, split="val")
        temperature = operating_points.fit_temperature(
            predictions.logits_of(val), predictions.targets_of(val)
        )
        assert temperature is not None
        test = predictions.select(table, split="test", layout=layout)
        for code in CODES:
            test[f"z_{code}"] /= temperature
        parts.append(test)
    return pd.concat(parts).sort_values("record_id")


def test_every_figure_equals_a_plain_loop():
    tables = runs(cohort(CODES))
    found = cross_validate(tables, FOLDS, draws=12, seed=4)
    assert found.total == 120
    assert found.records == (40, 40, 40)
    assert found.pooled.patients == 60
    by_layout = []
    for layout in LAYOUTS:
        measure = ("view", layout)
        within = np.array([[auroc(predictions.select(t, split="test", layout=layout))
                            for t in of_seed] for of_seed in tables])  # fmt: skip
        np.testing.assert_allclose(found.values["image", measure], within, atol=1e-12)
        np.testing.assert_allclose(found.by_fold("image", measure), within.mean(0), atol=1e-12)
        np.testing.assert_allclose(found.spread("image", measure),
                                   (within.mean(), within.mean(0).std(ddof=1)), atol=1e-12)  # fmt: skip
        whole = [pooled_rows(of_seed, layout) for of_seed in tables]
        entry = found.pooled.entry("image", measure)
        assert entry.value == pytest.approx(np.mean([auroc(rows) for rows in whole]), abs=1e-12)
        by_layout.append(within)
        patients = patients_of(whole[0])
        strata = strata_of(patients, predictions.targets_of(whole[0]))
        weights = np.concatenate(list(weight_blocks(patients, 12, 4, strata)))
        drawn = [np.mean([auroc(rows.iloc[np.repeat(np.arange(len(rows)), w)]) for rows in whole])
                 for w in weights]  # fmt: skip
        np.testing.assert_allclose(entry.ci95, np.quantile(drawn, (0.025, 0.975)), atol=1e-12)
    np.testing.assert_allclose(found.values["image", ("mean", "")], np.mean(by_layout, 0))


def test_the_networks_own_scales_do_not_count_when_pooled():
    """Logits of one fold times ten: the same network, but for its temperature."""
    people = cohort(CODES)
    tables = runs(people, seeds=(1,))
    before = cross_validate(tables, FOLDS, draws=2)
    loud = tables[0][1]
    for code in CODES:
        loud[f"z_{code}"] /= 7
    after = cross_validate(tables, FOLDS, draws=2)
    for measure in before.pooled.measures:
        a, b = (f.pooled.entry("image", measure).value for f in (before, after))
        assert a == pytest.approx(b, abs=2e-4)
        np.testing.assert_allclose(before.values["image", measure], after.values["image", measure])


def test_the_challenge_metric_is_of_each_runs_own_thresholds():
    challenge = CHALLENGES["cinc2020"]
    tables = runs(cohort(challenge.codes, 60), seeds=(1, 2), streams=("image", "signal"))
    found = cross_validate(tables, FOLDS, draws=30, seed=1)
    assert set(found.challenge) == {"image", "signal"}
    for stream, got in found.challenge.items():
        assert got.challenge == "cinc2020"
        for s, of_seed in enumerate(tables):
            rows = []
            for k, table in enumerate(of_seed):
                val, test = (predictions.select(table, split=x, stream=stream)
                             for x in ("val", "test"))  # fmt: skip
                points = fit_points(predictions.logits_of(val), predictions.targets_of(val),
                                    challenge)  # fmt: skip
                y = predictions.targets_of(test)
                called = points.decisions(points.probabilities(predictions.logits_of(test)))
                expected = score(y, called, challenge).challenge_metric
                assert got.values[s, k] == pytest.approx(expected, abs=1e-12)
                rows.append((y, called, test))
            y, called = (np.concatenate([r[i] for r in rows]) for i in (0, 1))
            value = score(y, called, challenge).challenge_metric
            assert got.pooled[s] == pytest.approx(value, abs=1e-12)
            patients = patients_of(pd.concat([r[2] for r in rows], ignore_index=True))
            alone = cross_validate([of_seed], FOLDS, draws=30, seed=1).challenge[stream]
            expected = metric_interval(y, called, patients, challenge, draws=30, seed=1)
            np.testing.assert_allclose(alone.ci95, expected, atol=1e-12)
        assert got.ci95[0] < got.pooled.mean() < got.ci95[1]


def test_seeds_whose_rows_stand_in_another_order_are_the_same():
    challenge = CHALLENGES["cinc2020"]
    tables = runs(cohort(challenge.codes, 60), seeds=(1,))
    mixed = [t.sample(frac=1, random_state=9).reset_index(drop=True) for t in tables[0]]
    once = cross_validate(tables, FOLDS, draws=20).challenge["image"]
    twice = cross_validate([tables[0], mixed], FOLDS, draws=20).challenge["image"]
    np.testing.assert_allclose(once.ci95, twice.ci95, atol=1e-12)


def test_no_challenge_where_the_labels_are_none():
    assert cross_validate(runs(cohort(CODES), seeds=(1,)), FOLDS, draws=2).challenge == {}


def test_what_would_leak_or_count_twice_is_refused():
    people = cohort(CODES)
    tables = runs(people, seeds=(1,))
    with pytest.raises(DataError, match="run of fold 2 holds a test record of fold 1"):
        cross_validate([[tables[0][0], tables[0][0], tables[0][2]]], FOLDS, draws=2)
    with pytest.raises(DataError, match="run of fold 1 holds a val record of fold 3"):
        cross_validate(tables, [Fold((1,), (2,)), *FOLDS[1:]], draws=2)
    wide = [Fold((1,), (3,)), Fold((2,), (1,)), Fold((2, 3), (2, 1))]
    again = pd.concat([tables[0][2], predictions.select(tables[0][1], split="test")])
    with pytest.raises(DataError, match="two answers"):
        cross_validate([[*tables[0][:2], again.reset_index(drop=True)]], wide, draws=2)
    lost = [*tables[0][:2], predictions.select(tables[0][2], split="test")]
    with pytest.raises(DataError, match="fold 3 has no val row"):
        cross_validate([lost], FOLDS, draws=2)
    other = one_run(people.drop(index=100), FOLDS[2], 2)
    with pytest.raises(DataError, match="r100"):
        cross_validate([tables[0], [*tables[0][:2], other]], FOLDS, draws=2)


def test_a_label_without_positives_in_a_fold_is_named():
    people = cohort(CODES)
    people.loc[people["fold"] == 2, "CD"] = False
    found = cross_validate(runs(people, seeds=(1,)), FOLDS, draws=2)
    assert found.skipped == ((), ("CD",), ())
    assert any("fold 2" in line and "CD" in line for line in notes(found))
    people[list(CODES)] = people[list(CODES)].where(people["fold"] != 2, False)
    with pytest.raises(DataError, match="fold 2: no label"):
        cross_validate(runs(people, seeds=(1,)), FOLDS, draws=2)


def test_the_report_holds_what_was_found(tmp_path):
    challenge = CHALLENGES["cinc2021"]
    found = cross_validate(runs(cohort(challenge.codes, 60), streams=("image", "s_x")), FOLDS,
                           draws=10)  # fmt: skip
    for _ in range(2):  # the second takes the place of the first
        write_folds(tmp_path / "a", found, title="<b>", remarks=("7 records stand in no fold.",))
        assert sorted(p.name for p in (tmp_path / "a").iterdir()) == sorted(FILES)
    table = pd.read_csv(tmp_path / "a/study.csv", keep_default_na=False, na_values={
        name: [""] for name in ("low", "high", "sd", "patients", "draws", "draws_seed")})  # fmt: skip
    wanted = frame(found).fillna({"skipped": ""})
    pd.testing.assert_frame_equal(table, wanted, check_dtype=False)
    rows = table[(table["stream"] == "image") & (table["view"] == "3x4")].set_index("fold")
    assert list(rows.index) == ["1", "2", "3", MEAN, POOLED]
    entry = found.pooled.entry("image", ("view", "3x4"))
    assert tuple(rows.loc[POOLED, ["value", "low", "high"]]) == pytest.approx(
        (entry.value, *entry.ci95)
    )
    mean, sd = found.spread("image", ("view", "3x4"))
    assert tuple(rows.loc[MEAN, ["value", "sd"]]) == pytest.approx((mean, sd))
    metric = table[(table["metric"] == "challenge_metric") & (table["stream"] == "s_x")]
    assert list(metric["fold"]) == ["1", "2", "3", MEAN, POOLED]
    text = (tmp_path / "a/study.html").read_text()
    for piece in ("&lt;b&gt;", f"{mean:.3f}", f"SD {sd:.3f}", f"{entry.value:.3f}",
                  "7 records stand in no fold.", "Challenge metric", "approximation"):  # fmt: skip
        assert piece in text
    document = (tmp_path / "a/study.tex").read_text()
    assert r"s\_x" in document
    assert f"{mean:.3f} ({sd:.3f})" in document
    lines = document[document.index(r"\midrule") : document.index(r"\bottomrule")].splitlines()[1:]
    assert all(line.count("&") == 3 for line in lines)
    with pytest.raises(ConfigError, match="folder"):
        write_folds(tmp_path / "a/study.csv", found, title="")
