"""The run id changes with what changes the result, and with nothing else."""

from __future__ import annotations

import pytest

from experiments.configure import configure
from experiments.run_id import run_id

SAME = [
    "trainer.devices=2", "trainer.accelerator=cpu", "logger=wandb", "wandb.project=other",
    "run_dir=/elsewhere", "force=true", "data.num_workers=0", "data.cache_dir=/elsewhere",
    "data.images=/elsewhere",
]  # fmt: skip
OTHER = [
    "seed=1", "optimizer.lr=1", "trainer.max_epochs=3", "data.layouts=[6x2]", "model.smam=false",
    "data.folds.train=[1]", "loss.kd_weight=0", "data.augment=false", "draws=10",
    "data.artefacts=photo", "data.style=mixed",
]  # fmt: skip


def identity(*overrides: str) -> str:
    return run_id(configure(["+exp=vizecg", *overrides]), ["data"], "labels")


@pytest.mark.parametrize("override", SAME)
def test_places_and_devices_do_not_count(override):
    assert identity(override) == identity()


@pytest.mark.parametrize("override", OTHER)
def test_what_changes_the_result_counts(override):
    assert identity(override) != identity()


def test_data_and_labels_count():
    config = configure(["+exp=vizecg"])
    ids = {run_id(config, d, h) for d in (["a"], ["b"], ["a", "b"]) for h in ("c", "d")}
    assert len(ids) == 6
    assert config == configure(["+exp=vizecg"])
