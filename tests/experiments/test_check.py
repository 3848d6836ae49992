"""The kinds of values that settings take, against the project's own files and wrong words."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgvision.ecg import ConfigError
from experiments.chain import stage_config, trainable
from experiments.check import check_types
from experiments.configure import configure

EXPS = sorted(file.stem for file in (Path(__file__).parents[2] / "experiments/exp").glob("*.yaml"))


@pytest.mark.parametrize("exp", EXPS)
@pytest.mark.parametrize("data", ["synthetic", "ptbxl"])
def test_every_default_is_of_its_own_kind(exp, data):
    more = ["data.root=x"] if data == "ptbxl" else []
    config = configure([f"+exp={exp}", f"data={data}", *more])
    check_types(config)
    for name in trainable(config):  # a stage need not have every section that its system has
        check_types(stage_config(config, name))


def test_a_section_that_is_no_section_is_refused():
    with pytest.raises(ConfigError, match=r"loss\.distill"):
        check_types(configure(["+exp=signal", "loss.distill=1"]))


@pytest.mark.parametrize(
    "override",
    ["optimizer.lr=abc", "optimizer.milestones=0.5", "data.fractions=0.5", "data.noise=abc",
     "data.batch_size=abc", "trainer.max_epochs=many", "model.packed=7", "draws=[1]",
     "loss.name=[focal]"],
)  # fmt: skip
def test_a_wrong_kind_is_named(override):
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        check_types(configure(["+exp=patchecg", override]))


@pytest.mark.parametrize(
    "override",
    ["ssl.local_views=x", "ssl.momentum=x", "ssl.final_momentum=x", "loss.prototypes=[16]",
     "data.image_size=x", "data.batch_size=x", "model.time_encoder=[a]"],
)  # fmt: skip
def test_the_kind_is_known_of_what_goes_by_the_datas_size_or_by_a_neighbour(override):
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        check_types(configure(["+exp=ssl_pretrain", override]))


def test_null_is_taken_where_it_means_something():
    check_types(configure(["+exp=ssl_pretrain", "ssl.final_weight_decay=null"]))
    with pytest.raises(ConfigError, match=r"ssl\.momentum"):
        check_types(configure(["+exp=ssl_pretrain", "ssl.momentum=null"]))


def test_words_may_stand_alone_and_devices_may_be_words():
    check_types(configure(["+exp=mvkt", "data.layouts=12x1", "data.student_leads=II",
                           "trainer.devices=auto", "trainer.precision=32"]))  # fmt: skip
