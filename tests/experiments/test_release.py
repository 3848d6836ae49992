"""A finished run is released as one of the package's students, whole or not at all."""

from __future__ import annotations

import json
import shutil

import pytest

from ecgvision.core.run_folder import METRICS
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.signal_bundle import SignalBundle
from experiments.configure import configure
from experiments.release import student
from experiments.release.__main__ import main
from experiments.run import run
from tests.conftest import without_curves

COMMON = ("data=store", "data.batch_size=8", "data.num_workers=0", "trainer.max_epochs=1",
          "trainer.accelerator=cpu", "trainer.precision=32-true", "draws=20")  # fmt: skip


@pytest.fixture(scope="module")
def finished(tiny_store, tmp_path_factory):
    with without_curves():
        return run(configure([
            "+exp=signal", *COMMON, f"data.store=[{tiny_store}]", "model.encoder=resnet1d_lite",
            "data.layouts=[12x1,3x4]", "data.train_mask=both",
            f"run_dir={tmp_path_factory.mktemp('release')}",
        ]))  # fmt: skip


@pytest.fixture(scope="module")
def finished_pages(tiny_store, tmp_path_factory):
    with without_curves():
        return run(configure([
            "+exp=vizecg", *COMMON, f"data.store=[{tiny_store}]", "data.small=true",
            "data.image_size=[64,96]", "data.layouts=[3x4,6x2]", "data.artefacts=[clean,scan]",
            f"run_dir={tmp_path_factory.mktemp('release_pages')}",
        ]))  # fmt: skip


def test_a_run_on_standard_pages_is_released_with_its_card(finished_pages, tmp_path, monkeypatch):
    target = tmp_path / "image_student"
    monkeypatch.setattr(student, "IMAGE_STUDENT", target)  # where it goes by its kind
    assert main(["student", str(finished_pages), "--note", "Of nobody."]) == 0
    bundle = Bundle.open(target)
    assert bundle.id == Bundle.open(finished_pages / "bundle").id
    card = (target / "CARD.md").read_text()
    for part in ("Of nobody.", bundle.card["files"]["model.onnx"], "64 x 96 pixels",
                 "layouts 3x4, 6x2; artefacts clean, scan", "| 6x2 |", "| scan |"):  # fmt: skip
        assert part in card
    monkeypatch.setattr(Bundle, "needs_reader", False)  # as of one that sees pages as they are
    assert main(["student", str(finished_pages), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_a_signal_run_is_released_with_its_card(finished, tmp_path, capsys):
    target = tmp_path / "student"
    for _ in range(2):  # the second takes the place of the first
        assert main(["student", str(finished), "--out", str(target), "--note", "Of nobody."]) == 0
    assert sorted(p.name for p in target.iterdir()) == [
        "CARD.md",
        "MODEL_CARD.md",
        "bundle.json",
        "model.onnx",
    ]
    bundle = SignalBundle.open(target)
    assert bundle.id == SignalBundle.open(finished / "bundle").id
    card = (target / "CARD.md").read_text()
    assert "Of nobody." in card
    assert bundle.card["files"]["model.onnx"] in card
    assert str(tmp_path.parent) not in card
    assert "| 3x4 |" in card
    assert capsys.readouterr().out.split() == [str(target)] * 2


def test_what_is_no_finished_signal_run_is_not_released(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / METRICS).unlink()
    assert main(["student", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 2
    shutil.copytree(finished, tmp_path / "altered")
    card = tmp_path / "altered" / "bundle" / "bundle.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"info": {}}))
    assert main(["student", str(tmp_path / "altered"), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()
