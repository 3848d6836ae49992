"""The kinds of values that settings take, against the project's own files and wrong words."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgvision.ecg import ConfigError
from experiments.check import check_types
from experiments.configure import configure

EXPS = sorted(file.stem for file in (Path(__file__).parents[2] / "experiments/exp").glob("*.yaml"))


@pytest.mark.parametrize("exp", EXPS)
@pytest.mark.parametrize("data", ["synthetic", "ptbxl"])
def test_every_default_is_of_its_own_kind(exp, data):
    more = ["data.root=x"] if data == "ptbxl" else []
    check_types(configure([f"+exp={exp}", f"data={data}", *more]))


@pytest.mark.parametrize(
    "override",
    ["optimizer.lr=abc", "optimizer.milestones=0.5", "data.fractions=0.5", "data.noise=abc",
     "data.batch_size=abc", "trainer.max_epochs=many", "model.packed=7", "draws=[1]",
     "loss.name=[focal]"],
)  # fmt: skip
def test_a_wrong_kind_is_named(override):
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        check_types(configure(["+exp=patchecg", override]))


def test_words_may_stand_alone_and_devices_may_be_words():
    check_types(configure(["+exp=mvkt", "data.layouts=12x1", "data.student_leads=II",
                           "trainer.devices=auto", "trainer.precision=32"]))  # fmt: skip
