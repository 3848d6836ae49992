from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecgvision.core.errors import DataError
from ecgvision.evaluate import predictions
from ecgvision.evaluate.metrics.bootstrap import weight_blocks
from ecgvision.evaluate.metrics.compare import read_probabilities
from ecgvision.evaluate.metrics.operating_points import OperatingPoints, apply
from ecgvision.evaluate.metrics.paired import p_value, paired
from ecgvision.evaluate.metrics.strata import strata_of
from experiments import compare as command
from tests.real_data import real_data

ANCHOR = real_data("anchors/resnet1d_wang_fold9.csv")


def test_difference_is_that_of_the_same_resampled_rows(make_table):
    a, b = make_table(stream="a", seed=0, skill=2.5), make_table(stream="b", seed=1, skill=1.0)
    result = paired(a, b.sample(frac=1, random_state=0), draws=60, seed=4)
    a, b = (t.sort_values("record_id") for t in (a, b))
    patients = np.unique(a["patient_id"], return_inverse=True)[1]
    d = []
    strata = strata_of(patients, predictions.targets_of(a))
    for w in np.concatenate(list(weight_blocks(patients, 60, 4, strata))):
        rows = np.repeat(np.arange(len(a)), w)
        d.append([
            roc_auc_score(t["y_MI"].iloc[rows], t["z_MI"].iloc[rows]) for t in (a, b)
        ])  # fmt: skip
    d = np.subtract(*np.transpose(d))
    figure = result["per_class"]["MI"]["auroc"]
    assert figure["a"] == pytest.approx(roc_auc_score(a["y_MI"], a["z_MI"]), abs=1e-12)
    assert figure["difference"] == pytest.approx(figure["a"] - figure["b"], abs=1e-12)
    np.testing.assert_allclose(figure["ci95"], np.quantile(d, [0.025, 0.975]), atol=1e-12)
    assert figure["p"] == p_value(d) < 0.1


def test_a_system_does_not_differ_from_itself(make_table):
    result = paired(make_table(), make_table(stream="copy"), draws=20)
    assert result["macro_auroc"]["ci95"] == [0, 0]
    assert result["macro_auroc"]["p"] == 1
    assert "macro_f1" not in result


def test_pairing_is_narrower_than_either_interval(make_table):
    a = make_table(200)
    b = a.assign(z_MI=a["z_MI"] + 0.3 * np.random.default_rng(0).normal(size=200))
    points = OperatingPoints(1.0, (0.5,) * 3, predictions.codes_of(a))
    low, high = paired(a, b, (points, points), draws=200)["macro_auroc"]["ci95"]
    from ecgvision.evaluate.metrics.scores import evaluate

    wide = evaluate(a, {"image": points}, draws=200)["test"]["image"]["macro_auroc"]["ci95"]
    assert high - low < 0.5 * (wide[1] - wide[0])


def test_p_value_counts_the_smaller_side():
    assert p_value(np.array([1.0] * 95 + [-1.0] * 5)) == pytest.approx(12 / 101)
    assert p_value(np.ones(99)) == pytest.approx(0.02)
    assert p_value(np.array([-1.0, 1.0, np.nan])) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.iloc[1:], "one table only"),
        (lambda t: t.assign(y_MI=1 - t["y_MI"]), "targets"),
        (lambda t: t.assign(patient_id="one"), "patients"),
        (lambda t: t.rename(columns=lambda c: c.replace("MI", "XX")), "other labels"),
        (lambda t: pd.concat([t, t.assign(layout="6x2")]), "several rows"),
        (lambda t: t.assign(record_id="x" + t["record_id"]), "one table only"),
    ],
)
def test_tables_that_cannot_be_paired(make_table, change, says):
    with pytest.raises(DataError, match=says):
        paired(make_table(), change(make_table(seed=1)), draws=5)


def test_common_records_when_asked_for(make_table):
    table = make_table(60)
    assert paired(table.iloc[:50], table.iloc[10:], common=True, draws=5)["n"] == 40


def test_record_ids_match_by_pattern_and_patients_by_the_side_that_knows(make_table):
    a = make_table(30, ids=[f"{i:05d}_lr" for i in range(30)])
    b = make_table(30, ids=[str(i) for i in range(30)]).assign(patient_id="")
    result = paired(a, b, match=r"0*(\d+)", draws=5)
    assert (result["n"], result["patients"]) == (30, 15)
    with pytest.raises(DataError, match="does not match"):
        paired(a, b, match=r"^x", draws=5)


def test_probabilities_come_back_from_a_csv(tmp_path):
    path = tmp_path / "other.csv"
    p = [0.0, 1e-9, 0.25, 0.75, 1 - 1e-9, 1.0]
    pd.DataFrame({"ecg_id": range(6), "p_A": p, "y_A": [0, 1] * 3}).to_csv(path, index=False)
    table = read_probabilities(path)
    assert list(table["record_id"]) == list("012345")
    assert (np.diff(table["z_A"]) > 0).all()
    back = apply(table, {"model": OperatingPoints(1.0, (0.5,), ("A",))})
    np.testing.assert_allclose(back["p_A"], p, atol=1e-15)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "readable CSV"),
        ("id,y_A\n1,0\n", "p_"),
        ("id,p_A,y_A\n1,1.5,0\n", "p_A"),
        ("id,p_A\n1,0.5\n", "y_"),
    ],
)
def test_a_csv_that_is_none(tmp_path, text, says):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=says) as error:
        read_probabilities(path)
    assert "bad.csv" in str(error.value)


def test_the_anchor_has_the_auroc_its_readme_states():
    table = read_probabilities(ANCHOR)
    assert round(paired(table, table, draws=2)["macro_auroc"]["a"], 3) == 0.934


def test_command_line(make_table, tmp_path, capsys):
    path = tmp_path / "predictions.parquet"
    tables = [make_table(split=s, stream=x, layout="1x1:II", seed=i, skill=1 + i % 2)
              for s in ("val", "test") for i, x in enumerate(("image", "signal"))]  # fmt: skip
    predictions.save(pd.concat(tables, ignore_index=True), path)
    out = tmp_path / "out.json"
    arguments = [f"{path}:image@1x1:II", f"{path}:signal", "--draws", "20", "--json", str(out)]
    assert command.main(arguments) == 0
    assert "macro f1" in capsys.readouterr().out  # validation rows give both their thresholds
    result = json.loads(out.read_text())
    assert result["n"] == 120
    assert command.main([str(path), f"{path}:signal"]) == 2
    assert "which stream" in capsys.readouterr().err
    assert command.main([f"{path}:image@6x2", f"{path}:signal"]) == 2
    assert command.main([str(tmp_path / "none.parquet"), str(path)]) == 2
