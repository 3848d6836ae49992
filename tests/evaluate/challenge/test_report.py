"""The Challenge's scores from a predictions table: validation decides, test is only read."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ecgvision.core.errors import DataError
from ecgvision.evaluate import predictions
from ecgvision.evaluate.challenge.points import fit_points
from ecgvision.evaluate.challenge.report import evaluate, main
from ecgvision.evaluate.challenge.scores import CHALLENGES, metric_interval, score
from ecgvision.evaluate.metrics.bootstrap import patients_of

CODES = CHALLENGES["cinc2021"].codes


@pytest.fixture
def table(make_table) -> pd.DataFrame:
    parts = [
        make_table(codes=CODES, split=split, stream=stream, skill=skill, seed=seed)
        for seed, (split, stream, skill) in enumerate(
            [
                ("val", "image", 2.0),
                ("test", "image", 2.0),
                ("val", "signal", 4.0),
                ("test", "signal", 4.0),
            ]
        )
    ]
    return pd.concat(parts, ignore_index=True)


def of(table: pd.DataFrame, split: str, stream: str) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    rows = predictions.select(table, split=split, stream=stream)
    return predictions.logits_of(rows), predictions.targets_of(rows), rows


def test_scores_are_those_of_points_fitted_on_validation(table):
    result = evaluate(table, draws=100, seed=3)
    assert result["challenge"] == "cinc2021"
    assert list(result["test"]) == ["image", "signal"]
    for stream, got in result["test"].items():
        challenge = CHALLENGES["cinc2021"]
        points = fit_points(*of(table, "val", stream)[:2], challenge)
        z, y, rows = of(table, "test", stream)
        called = points.decisions(points.probabilities(z))
        expected = score(y, called, challenge)
        assert got["n"] == 120
        assert got["challenge_metric"]["value"] == expected.challenge_metric
        assert tuple(got["challenge_metric"]["ci95"]) == metric_interval(
            y, called, patients_of(rows), challenge, draws=100, seed=3
        )
        assert (got["accuracy"], got["macro_f1"]) == (expected.accuracy, expected.macro_f1)
        assert (got["macro_f2"], got["macro_g2"]) == (expected.macro_f2, expected.macro_g2)
        assert got["thresholds"] == dict(zip(CODES, points.thresholds, strict=True))
    values = {s: r["challenge_metric"]["value"] for s, r in result["test"].items()}
    assert values["image"] < values["signal"]


def test_test_labels_cannot_reach_the_thresholds(table):
    before = evaluate(table, draws=10)["test"]["image"]
    labels = [f"y_{c}" for c in CODES]
    rows = (table["split"] == "test").to_numpy()
    table.loc[rows, labels] = table.loc[rows, labels].to_numpy()[::-1]
    after = evaluate(table, draws=10)["test"]["image"]
    assert after["thresholds"] == before["thresholds"]
    assert after["challenge_metric"] != before["challenge_metric"]


def test_what_cannot_be_scored_is_refused(table, make_table):
    with pytest.raises(DataError, match=r"not a Challenge's.*cinc2021"):
        evaluate(make_table())
    reordered = pd.concat([make_table(codes=CODES[::-1], split=s) for s in ("val", "test")])
    with pytest.raises(DataError, match="not a Challenge's"):
        evaluate(reordered)
    for split in ("val", "test"):
        with pytest.raises(DataError, match=rf"image has no row of split {split}"):
            evaluate(table[(table["split"] != split) | (table["stream"] != "image")])


def test_the_command_line(table, tmp_path, capsys):
    predictions.save(table, tmp_path / "predictions.parquet")
    assert main([str(tmp_path / "predictions.parquet"), "--draws", "20"]) == 0
    assert json.loads(capsys.readouterr().out) == evaluate(table, draws=20)
    assert main([str(tmp_path / "no.parquet")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
