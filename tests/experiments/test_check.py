"""The kinds of values that settings take, against the project's own files and wrong words."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgvision.core.errors import ConfigError
from experiments.check import check_types
from experiments.check_values import check_values
from experiments.configure import configure
from experiments.stages import stage_config, trainable

EXPS = sorted(file.stem for file in (Path(__file__).parents[2] / "experiments/exp").glob("*.yaml"))


@pytest.mark.parametrize("exp", EXPS)
@pytest.mark.parametrize("data", ["synthetic", "ptbxl"])
def test_every_default_is_of_its_own_kind(exp, data):
    more = ["data.root=x"] if data == "ptbxl" else []
    config = configure([f"+exp={exp}", f"data={data}", *more])
    check_types(config)
    check_values(config)
    for name in trainable(config):  # a stage need not have every section that its system has
        check_types(stage_config(config, name))
        check_values(stage_config(config, name))


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


@pytest.mark.parametrize(
    "override",
    ["trainer.devices=auto", "trainer.devices=-1", "trainer.devices='2'", "trainer.devices=[0,1]",
     "trainer.devices='0,1'", "trainer.devices='1,'", "trainer.precision=32",
     "trainer.precision=bf16-mixed", "trainer.limit_val_batches=3", "trainer.gradient_clip=0",
     "trainer.ema_decay=0", "trainer.patience=0", "data.labels=columns", "seed=4294967295"],
)  # fmt: skip
def test_what_lightning_takes_is_taken(override):
    check_values(configure(["+exp=vizecg", override]))


@pytest.mark.parametrize(
    "override",
    ["trainer.devices=true", "trainer.devices=[-1]", "trainer.devices=[0,0]", "trainer.devices=1.5",
     "seed=4294967296", "trainer.limit_val_batches=1.5", "trainer.limit_test_batches=-1",
     "data.seconds=0", "data.folds.train=[a]"],
)  # fmt: skip
def test_what_it_does_not_take_is_named(override):
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        check_values(configure(["+exp=vizecg", override]))
