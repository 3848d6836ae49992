"""`ecgvision export`: a run's bundle in a folder of its own, on int8 only where that is a gain."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ecgvision.cli import main
from ecgvision.deploy.bundle import Bundle
from ecgvision.trained_runs import export
from experiments.configure import configure
from experiments.run import run
from tests.conftest import without_curves


@pytest.fixture(scope="module")
def finished(tiny_store, tmp_path_factory) -> Path:
    with without_curves():
        return run(configure([
            "+exp=vizecg", "data=store", f"data.store=[{tiny_store}]", "data.small=true",
            "data.batch_size=8", "data.num_workers=0", "trainer.max_epochs=1", "draws=20",
            "trainer.accelerator=cpu", "trainer.precision=32-true", "data.image_size=[64,96]",
            "data.layouts=[3x4,6x2]", f"run_dir={tmp_path_factory.mktemp('export')}",
        ]))  # fmt: skip


def test_the_bundle_is_written_as_the_run_has_it(finished, tmp_path, capsys):
    assert main(["export", str(finished), "--out", str(tmp_path / "out")]) == 0
    assert Bundle.open(tmp_path / "out").id == Bundle.open(finished / "bundle").id
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "no")]) == 2  # no run
    assert main(["export", str(finished), "--out", str(finished / "bundle")]) == 2
    damaged = tmp_path / "damaged"
    shutil.copytree(finished, damaged)
    (damaged / "bundle" / "model.onnx").write_bytes(b"")
    assert main(["export", str(damaged), "--out", str(tmp_path / "no")]) == 2
    assert not (tmp_path / "no").exists()


def test_int8_is_written_only_where_it_is_a_gain(finished, tmp_path, monkeypatch, capsys):
    words = ["export", str(finished), "--out", str(tmp_path / "out"), "--int8"]
    monkeypatch.setattr(export, "CALIBRATION_PAGES", 8)
    monkeypatch.setattr(export, "LEAST_GAIN", 100.0)
    monkeypatch.setattr(export, "MOST_LOSS", 1.0)
    assert main(words) == 2
    assert "not faster on this machine" in capsys.readouterr().err
    monkeypatch.setattr(export, "MOST_LOSS", -1.0)
    assert main(words) == 2
    assert "changes the answers too much" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(export, "LEAST_GAIN", 0.0)
    monkeypatch.setattr(export, "MOST_LOSS", 1.0)
    assert main(words) == 0
    float_, int8 = Bundle.open(finished / "bundle"), Bundle.open(tmp_path / "out")
    about = int8.card["info"]["int8"]
    assert (about["from"], about["calibration_pages"]) == (float_.id, 8)
    assert int8.card["metrics"] == {"before_int8": float_.card["metrics"]}
    assert (
        "figures above are of the network in float"
        in (tmp_path / "out" / "MODEL_CARD.md").read_text()
    )
    assert int8.thresholds == float_.thresholds
    rng = np.random.default_rng(0)
    pages = np.full((4, 3, *int8.image_size), 255, np.uint8)
    pages[..., 10:50, 10:90][rng.random((4, 3, 40, 80)) < 0.2] = 0
    difference = np.abs(int8.run(pages)[0] - float_.run(pages)[0])
    assert 0 < difference.max() < 0.5  # of logits: rounded, and not another network
