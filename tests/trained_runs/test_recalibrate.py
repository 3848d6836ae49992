"""A bundle judged and recalibrated on labelled pictures: its answers, points and refusals."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pandas as pd
import pytest

from ecgvision.cli import main
from ecgvision.core.errors import BundleError
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.card import read_card
from ecgvision.deploy.export import write_documents
from ecgvision.deploy.recalibrated import write_recalibrated
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from tests.deploy import conftest as by_hand

COUNT = 60
CODES = by_hand.SCHEME.codes


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """A bundle, pictures of one colour each, and labels that their colours tell."""
    folder = tmp_path_factory.mktemp("hospital")
    by_hand.write_bundle(folder / "bundle")
    write_documents(folder / "bundle", read_card(folder / "bundle"), {"MODEL_CARD.md": "# Card\n"})
    (folder / "scans").mkdir()
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (COUNT, 3))
    logits = colours / 255 @ by_hand.WEIGHT
    y = rng.random(logits.shape) < 1 / (1 + np.exp(-3 * (logits - logits.mean(axis=0))))
    for i, colour in enumerate(colours):
        image = np.full((96, 128, 3), colour[::-1], np.uint8)
        cv2.imwrite(str(folder / "scans" / f"ecg{i}.png"), image)
    table = pd.DataFrame({"file": [f"ecg{i}" for i in range(COUNT)],
                          **{f"y_{c}": y[:, j] * 1 for j, c in enumerate(CODES)}})  # fmt: skip
    table.to_csv(folder / "labels.csv", index=False)
    split = np.where(np.arange(COUNT) < 40, "val", "test")
    table.assign(split=split).to_csv(folder / "split.csv", index=False)
    return folder


def words(hospital, command, *more, labels="labels.csv"):
    return [command, "--bundle", str(hospital / "bundle"), "--scans", str(hospital / "scans"),
            "--labels", str(hospital / labels), *map(str, more)]  # fmt: skip


def test_a_bundle_is_judged_with_its_own_points(hospital, tmp_path, capsys):
    out = tmp_path / "out"
    (hospital / "scans" / "broken.png").write_bytes(b"no picture")
    try:
        assert main(words(hospital, "evaluate", "--draws", 10, "--out", out)) == 0
    finally:
        (hospital / "scans" / "broken.png").unlink()
    assert "1 of 61 pictures were refused" in capsys.readouterr().out
    found = json.loads((out / "metrics.json").read_text())
    assert list(found["refused"]) == ["broken"]
    assert found["data"]["test"] == COUNT
    points = found["operating_points"]["bundle"]
    assert points["temperature"] == 2.0
    assert tuple(points["thresholds"].values()) == by_hand.POINTS.thresholds
    table = pd.read_csv(out / "tables" / "operating_points.csv")
    assert list(table["policy"].unique()) == ["the bundle's"]
    asked = words(hospital, "evaluate", "--policy", "youden", "--out", tmp_path / "no")
    assert main(asked) == 2
    assert "needs validation rows" in capsys.readouterr().err


def test_recalibration_changes_the_end_of_the_graph_alone(hospital, tmp_path, capsys):
    out = tmp_path / "new"
    assert main(words(hospital, "recalibrate", "--policy", "sensitivity>=0.9", "--scaling",
                      "per_class", "--out", out, labels="split.csv")) == 0  # fmt: skip
    assert "judged on 20 other pictures" in capsys.readouterr().out
    old, new = Bundle.open(hospital / "bundle"), Bundle.open(out)
    pages = np.random.default_rng(1).integers(0, 256, (5, 3, *by_hand.SIZE), dtype=np.uint8)
    np.testing.assert_array_equal(new.run(pages)[0], old.run(pages)[0])
    card = new.card["operating_points"]
    points = OperatingPoints(card["temperature"], tuple(card["thresholds"]), new.codes,
                             slopes=tuple(card["slopes"]),
                             intercepts=tuple(card["intercepts"]))  # fmt: skip
    np.testing.assert_allclose(new.run(pages)[1], points.probabilities(old.run(pages)[0]),
                               atol=1e-6)  # fmt: skip
    np.testing.assert_array_equal(new.run(pages)[2], new.run(pages)[1] >= np.float32(
        card["thresholds"]))  # fmt: skip
    assert new.card["info"]["recalibrated"]["from"] == old.id
    assert new.card["info"]["recalibrated"]["pictures"] == 40
    assert new.card["metrics"]["n"] == 20
    assert new.id != old.id
    document = (out / "MODEL_CARD.md").read_text()
    assert document.startswith("# Card\n## Recalibrated")
    assert f"- from: {old.id}" in document
    again = tmp_path / "again"  # a recalibrated bundle can be recalibrated
    one = OperatingPoints(1.0, (0.5,) * len(CODES), CODES)
    write_recalibrated(new, again, one, metrics={}, about={})
    np.testing.assert_allclose(Bundle.open(again).run(pages)[1],
                               one.probabilities(old.run(pages)[0]), atol=1e-6)  # fmt: skip


def test_without_a_split_all_pictures_are_fitted_on(hospital, tmp_path, capsys):
    assert main(words(hospital, "recalibrate", "--out", tmp_path / "new")) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{COUNT} pictures, max_f1, intercept")
    assert "judged on" not in told
    card = Bundle.open(tmp_path / "new").card
    assert set(card["metrics"]) == {"before_recalibration"}
    assert card["operating_points"]["slopes"] == [1.0] * len(CODES)


def test_what_cannot_be_recalibrated_is_refused(hospital, tmp_path, capsys):
    labels = pd.read_csv(hospital / "labels.csv")
    for name, table, message in (
        ("alike", labels.assign(y_MI=0), "determine no threshold"),
        ("short", labels.drop(columns="y_MI"), "lack labels"),
        ("fewer", labels.iloc[:50], "10 records have no label"),
    ):
        table.to_csv(hospital / f"{name}.csv", index=False)
        assert main(words(hospital, "recalibrate", "--out", tmp_path / "new",
                          labels=f"{name}.csv")) == 2  # fmt: skip
        assert message in capsys.readouterr().err
    assert main(words(hospital, "recalibrate", "--out", hospital / "bundle")) == 2
    assert "holds what is read" in capsys.readouterr().err
    with pytest.raises(BundleError, match="other labels"):
        write_recalibrated(Bundle.open(hospital / "bundle"), tmp_path / "x",
                           OperatingPoints(1.0, (0.5,), ("MI",)), metrics={}, about={})  # fmt: skip
    assert not (tmp_path / "new").exists()
