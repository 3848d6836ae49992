"""Stages: what a run that comes first inherits, and how its weights count."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ecgvision.core.errors import ConfigError
from experiments import stages
from experiments.configure import configure
from experiments.run_id import run_id

EXPS = sorted(file.stem for file in (Path(__file__).parents[2] / "experiments/exp").glob("*.yaml"))


def no_training(config):
    pytest.fail("something was trained")


@pytest.mark.parametrize("exp", EXPS)
def test_every_run_and_its_stages_can_be_checked(exp):
    stages.check(configure([f"+exp={exp}", "trainer.accelerator=cpu"]))


def test_a_teacher_behind_a_page_can_be_checked():
    stages.check(configure(["+exp=patchecg_page", "teacher.exp=patchecg"]))


def test_a_stage_inherits_all_but_the_systems_own():
    config = configure(["+exp=mvkt", "seed=3", "data.batch_size=7", "teacher.model.dropout=0.5",
                        "force=true"])  # fmt: skip
    stage = stages.stage_config(config, "teacher")
    assert (stage["exp"], stage["seed"], stage["data"]["batch_size"]) == ("signal", 3, 7)
    assert stage["model"]["dropout"] == 0.5
    assert set(stage["loss"]) == {"name", "focal_alpha", "focal_gamma"}
    assert "teacher" not in stage
    assert "student_leads" not in stage["data"]
    assert stage["force"] is False  # the main run's wish, and the teacher may serve many
    stage["data"]["batch_size"] = 1
    assert config["data"]["batch_size"] == 7  # nothing is shared


def test_a_stage_has_the_place_of_its_own_source_alone():
    config = configure(["+exp=patchecg_page", "data=ptbxl", "data.root=db"])
    config["data"]["store"] = ["packed/before"]  # by the main run
    data = stages.stage_config(config, "reading")["data"]
    assert (data["name"], data["root"], data["store"]) == ("ptbxl", "db", None)
    config["reading"]["data"]["store"] = ["other"]
    data = stages.stage_config(config, "reading")["data"]
    assert (data["name"], data["root"], data["store"]) == ("store", None, ["other"])


def test_a_teacher_has_the_id_of_the_same_run_by_itself():
    config = configure(["+exp=mvkt"])
    stage = stages.stage_config(config, "teacher")
    other = stages.stage_config(configure(["+exp=mvkt", "loss.clt_weight=0",
                                          "data.student_leads=[V1]"]), "teacher")  # fmt: skip
    assert run_id(stage, ["x"], "y") == run_id(other, ["x"], "y")


def save(path, value: float, **more) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": {"w": torch.full((2,), value)}, "label_hash": "h"} | more, path)


def test_weights_count_by_content_not_by_place(tmp_path):
    ids = set()
    for name, value, epoch in (("a.ckpt", 1.0, 1), ("deep/b.ckpt", 1.0, 2), ("c.ckpt", 2.0, 1)):
        save(tmp_path / name, value, epoch=epoch)
        config = configure(["+exp=mvkt", f"teacher.checkpoint={tmp_path / name}"])
        stages.prepare(config, no_training)
        assert config["teacher"]["checkpoint"] == str(tmp_path / name)
        ids.add(run_id(config, stages.weights_hashes(config), "y"))
    assert len(ids) == 2


def test_a_path_is_kept_whole(tmp_path, monkeypatch):
    save(tmp_path / "run/checkpoints/best.ckpt", 1.0)
    monkeypatch.chdir(tmp_path)
    config = configure(["+exp=mvkt", "teacher.checkpoint=run"])
    stages.prepare(config, no_training)
    assert config["teacher"]["checkpoint"] == str(tmp_path / "run/checkpoints/best.ckpt")


def test_missing_weights_are_named(tmp_path):
    config = configure(["+exp=mvkt", f"teacher.checkpoint={tmp_path / 'gone.ckpt'}"])
    with pytest.raises(ConfigError, match=r"gone\.ckpt"):
        stages.prepare(config, no_training)


def test_what_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "a.ckpt").write_text("nothing")
    config = configure(["+exp=mvkt", f"teacher.checkpoint={tmp_path / 'a.ckpt'}"])
    with pytest.raises(ConfigError, match=r"a\.ckpt"):
        stages.prepare(config, no_training)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("data.student_leads=[V9]", "V9"),
        ("loss.kd_kind=foo", "foo"),
        ("loss.clt_negatives=foo", "foo"),
        ("+loss.distill.foo_to_bar=1", "foo_to_bar"),
        ("teacher.model.leads=[V1]", "'I'"),
        ("teacher.exp=patchecg", "patchecg"),
    ],
)
def test_a_students_mistake_is_found_before_its_teacher_is_trained(override, named):
    with pytest.raises(ConfigError, match=named):
        stages.prepare(configure(["+exp=mvkt", override]), no_training)
