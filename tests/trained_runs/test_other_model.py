"""`ecgvision evaluate --predictions`: the whole folder, from two CSV files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ecgvision.cli import main
from tests.real_data import real_data

ANCHOR = real_data("anchors/resnet1d_wang_fold9.csv")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    rng = np.random.default_rng(0)
    n = 400
    y = rng.random((n, 2)) < (0.4, 0.2)
    z = rng.normal(size=(n, 2)) + 2 * y - 1
    p = 1 / (1 + np.exp(-z))
    pd.DataFrame({"ecg": range(n), "p_MI": p[:, 0], "p_<b>": p[:, 1]}).to_csv(
        folder / "theirs.csv", index=False
    )
    pd.DataFrame({"ecg": range(n), "y_MI": y[:, 0] * 1, "y_<b>": y[:, 1] * 1,
                  "person": np.arange(n) // 2, "sex": np.where(np.arange(n) // 2 % 2, "f", "m"),
                  "split": np.where(np.arange(n) < 100, "val", "test")}).to_csv(
        folder / "ours.csv", index=False)  # fmt: skip
    return folder


def evaluate(folder, *more):
    return main(["evaluate", "--predictions", str(folder / "theirs.csv"), "--labels",
                 str(folder / "ours.csv"), "--patients", "person", "--draws", "20",
                 *more])  # fmt: skip


def test_everything_stands_in_one_folder(files, tmp_path, capsys):
    out = tmp_path / "report"
    assert evaluate(files, "--out", str(out), "--oracle") == 0
    assert "macro AUROC" in capsys.readouterr().out
    assert {p.name for p in out.iterdir()} == {
        "report.html", "metrics.json", "predictions.parquet", "tables", "figures"}  # fmt: skip
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["data"] == {"name": "ours.csv", "val": 100, "test": 300}
    assert metrics["test"]["theirs"]["patients"] == 150
    assert set(metrics["config"]["files"]) == {str(files / "theirs.csv"), str(files / "ours.csv")}
    assert {p.stem for p in (out / "tables").iterdir()} == {
        "labels", "operating_points", "budgets", "calibration", "reliability", "net_benefit",
        "prevalence", "risk_coverage", "delong", "subgroups"}  # fmt: skip
    assert {p.stem for p in (out / "figures").iterdir()} == {
        "auroc", "reliability-theirs", "net_benefit-theirs", "risk_coverage-theirs",
        "subgroups-theirs"}  # fmt: skip
    table = pd.read_csv(out / "tables" / "operating_points.csv")
    assert "oracle_youden" in set(table["policy"])
    page = (out / "report.html").read_text(encoding="utf-8")
    assert len(page) < 10_000_000
    assert "http" not in page.replace("http-equiv", "")
    assert "<b>&lt;b&gt;</b>" in page  # a label's name is text
    for heading in ("Decisions", "Calibration", "Subgroups", "Cross-check of the intervals"):
        assert f"<h2>{heading}</h2>" in page
    assert evaluate(files, "--out", str(out), "--json") == 0  # an evaluation is replaced
    assert str(out) in json.loads(capsys.readouterr().out)


def test_what_is_no_evaluation_is_not_replaced(files, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert evaluate(files, "--out", str(tmp_path / "mine")) == 2
    assert "not replaced" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--policy", "best"], "no such policy"),
        (["--key", "nr"], "--key"),
        (["runs/x"], "not a run"),
        (["--subgroups", "ward"], "no such column"),
    ],
)
def test_wrong_options_are_refused_in_one_line(files, tmp_path, capsys, more, message):
    assert evaluate(files, "--out", str(tmp_path / "out"), *more) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_nothing_to_judge_is_refused(files, capsys):
    assert main(["evaluate"]) == 2
    assert "--predictions" in capsys.readouterr().err
    assert main(["evaluate", "--predictions", str(files / "theirs.csv")]) == 2
    assert "--labels" in capsys.readouterr().err


def test_two_tables_are_compared_on_the_same_records(files, tmp_path, capsys):
    whole = pd.read_csv(files / "theirs.csv").merge(pd.read_csv(files / "ours.csv"), on="ecg")
    whole = whole.drop(columns=["sex", "person", "split"])
    whole.to_csv(tmp_path / "a.csv", index=False)
    worse = whole.assign(p_MI=np.random.default_rng(1).permutation(whole["p_MI"]))
    worse.to_csv(tmp_path / "b.csv", index=False)
    out = tmp_path / "pair"
    assert main(["evaluate", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--paired",
                 "--draws", "50", "--out", str(out)]) == 0  # fmt: skip
    assert "macro auroc" in capsys.readouterr().out
    found = pd.read_csv(out / "tables" / "differences.csv").set_index(["label", "metric"])
    assert found.loc[("MI", "auroc"), "difference_low"] > 0
    assert found.loc[("<b>", "auroc"), "difference"] == 0
    assert found.loc[("MI", "auroc"), "p_holm"] == 2 * found.loc[("MI", "auroc"), "p"]
    assert found.loc[("MI", "auroc"), "delong_p"] < 0.01
    assert "Paired comparison" in (out / "report.html").read_text(encoding="utf-8")
    assert main(["evaluate", str(tmp_path / "a.csv"), "--paired"]) == 2
    assert "two systems" in capsys.readouterr().err


def test_the_anchor_is_judged_and_paired_with_itself(tmp_path, capsys):
    out = tmp_path / "anchor"
    assert main(["evaluate", "--predictions", str(ANCHOR), "--labels", str(ANCHOR), "--draws", "20",
                 "--out", str(out)]) == 0  # fmt: skip
    found = json.loads((out / "metrics.json").read_text())
    assert round(found["test"][ANCHOR.stem]["macro_auroc"]["value"], 3) == 0.934
    assert main(["evaluate", f"{out}:{ANCHOR.stem}", str(ANCHOR), "--paired", "--draws", "20",
                 "--out", str(tmp_path / "pair"), "--key", "ecg_id"]) == 0  # fmt: skip
    assert "+0.000" in capsys.readouterr().out
