"""Every argument of Lightning's trainer is taken, or refused with the reason."""

from __future__ import annotations

import inspect

import lightning as L
import pytest

from ecgvision.core.errors import ConfigError
from experiments.check_values import check_values
from experiments.configure import configure
from experiments.train import make_trainer
from experiments.trainer_arguments import FURTHER, NAMED, OURS, SET_BY_THE_RUN


def test_every_argument_is_known():
    theirs = set(inspect.signature(L.Trainer.__init__).parameters) - {"self"}
    assert theirs == {*NAMED, *FURTHER, *SET_BY_THE_RUN}
    assert not theirs & set(OURS)


def test_it_reaches_the_trainer(tmp_path):
    config = configure(["+exp=signal", "trainer.accelerator=cpu",
                        "+trainer.accumulate_grad_batches=3", "+trainer.log_every_n_steps=7",
                        "+trainer.check_val_every_n_epoch=2"])  # fmt: skip
    check_values(config)
    trainer = make_trainer(config, tmp_path, "x", ("val/signal_auroc", "max"))
    assert trainer.accumulate_grad_batches == 3
    assert trainer.log_every_n_steps == 7
    assert trainer.check_val_every_n_epoch == 2


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("+trainer.acumulate_grad_batches=2", r"Did you mean trainer\.accumulate_grad_batches\?"),
        ("+trainer.logger=true", r"logger=csv"),
        ("+trainer.gradient_clip_val=1", r"trainer\.gradient_clip"),
        ("trainer.devices=800", "cores"),
    ],
)
def test_what_is_none_is_refused(word, named):
    with pytest.raises(ConfigError, match=named):
        check_values(configure(["+exp=signal", "trainer.accelerator=cpu", word]))


def test_a_device_that_is_not_here_is_said_on_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    config = configure(["+exp=signal", "trainer.accelerator=cuda"])
    with pytest.raises(ConfigError, match="cuda") as error:
        make_trainer(config, tmp_path, "x", None)
    assert "\n" not in str(error.value)
