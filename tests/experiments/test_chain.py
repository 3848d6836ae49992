"""Stages: what a run that comes first inherits, and how its weights count."""

from __future__ import annotations

import hashlib

import pytest

from ecgvision.ecg import ConfigError
from experiments import chain
from experiments.configure import configure
from experiments.identity import run_id


def test_a_stage_inherits_all_but_the_systems_own():
    config = configure(["+exp=mvkt", "seed=3", "data.batch_size=7", "teacher.model.dropout=0.5",
                        "force=true"])  # fmt: skip
    stage = chain.stage_config(config, "teacher")
    assert (stage["exp"], stage["seed"], stage["data"]["batch_size"]) == ("signal", 3, 7)
    assert stage["model"]["dropout"] == 0.5
    assert set(stage["loss"]) == {"name", "focal_alpha", "focal_gamma"}
    assert "teacher" not in stage
    assert "student_leads" not in stage["data"]
    assert stage["force"] is False  # the main run's wish, and the teacher may serve many
    stage["data"]["batch_size"] = 1
    assert config["data"]["batch_size"] == 7  # nothing is shared


def test_a_teacher_has_the_id_of_the_same_run_by_itself():
    config = configure(["+exp=mvkt"])
    stage = chain.stage_config(config, "teacher")
    other = chain.stage_config(configure(["+exp=mvkt", "loss.clt_weight=0",
                                          "data.student_leads=[V1]"]), "teacher")  # fmt: skip
    assert run_id(stage, ["x"], "y") == run_id(other, ["x"], "y")


def test_weights_count_by_content_not_by_place(tmp_path):
    config = configure(["+exp=mvkt"])
    ids = set()
    for name, content in (("a.ckpt", b"1"), ("b.ckpt", b"1"), ("c.ckpt", b"2")):
        (tmp_path / name).write_bytes(content)
        config["teacher"]["checkpoint"] = str(tmp_path / name)
        hashes = chain.weights_hashes(config)
        assert hashes == [f"teacher:{hashlib.sha256(content).hexdigest()}"]
        ids.add(run_id(config, hashes, "y"))
    assert len(ids) == 2


def test_missing_weights_are_named(tmp_path):
    config = configure(["+exp=mvkt", f"teacher.checkpoint={tmp_path / 'gone.ckpt'}"])
    with pytest.raises(ConfigError, match=r"gone\.ckpt"):
        chain.weights_hashes(config)
