"""Every argument of Lightning's trainer is taken, or refused with the reason."""

from __future__ import annotations

import inspect

import lightning as L
import pytest

from ecgvision.core.errors import ConfigError
from experiments.configure import configure
from experiments.train import make_trainer
from experiments.trainer_settings import OWN, SET_BY_THE_RUN, trainer_arguments


def test_every_argument_is_known():
    theirs = set(inspect.signature(L.Trainer.__init__).parameters) - {"self"}
    assert theirs == trainer_arguments() | set(SET_BY_THE_RUN)
    assert not theirs & set(OWN)


def test_it_reaches_the_trainer(tmp_path):
    config = configure(["+exp=signal", "trainer.accelerator=cpu",
                        "trainer.accumulate_grad_batches=3", "+trainer.log_every_n_steps=7",
                        "trainer.check_val_every_n_epoch=2"])  # fmt: skip
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
        configure(["+exp=signal", "trainer.accelerator=cpu", word])


ARGUMENTS = [
    "strategy=ddp", "num_nodes=1", "fast_dev_run=true", "fast_dev_run=3", "min_epochs=1",
    "max_steps=7", "min_steps=2", "max_time=00:12:00:00", "max_time={hours:2}",
    "limit_predict_batches=0.5", "overfit_batches=2", "val_check_interval=0.5",
    "check_val_every_n_epoch=2", "num_sanity_val_steps=2", "log_every_n_steps=5",
    "enable_progress_bar=false", "enable_model_summary=true", "accumulate_grad_batches=2",
    "gradient_clip_algorithm=value", "deterministic=warn", "benchmark=true",
    "inference_mode=false", "profiler=simple", "detect_anomaly=true", "barebones=true",
    "sync_batchnorm=true", "reload_dataloaders_every_n_epochs=1", "enable_autolog_hparams=false",
    "model_registry=x", "max_epochs=3", "devices=2", "precision=32", "limit_train_batches=2",
    "limit_val_batches=0.5", "limit_test_batches=3", "accelerator=cpu",
]  # fmt: skip


def test_there_is_an_example_of_each():
    assert {word.partition("=")[0] for word in ARGUMENTS} == trainer_arguments()


@pytest.mark.parametrize("word", ARGUMENTS)
def test_each_is_taken_by_the_trainer(word, tmp_path):
    config = configure(["+exp=signal", "trainer.accelerator=cpu", f"trainer.{word}"])
    assert make_trainer(config, tmp_path, "x", ("val/signal_auroc", "max")).accelerator is not None


def test_a_device_that_is_not_here_is_said_on_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    config = configure(["+exp=signal"])
    config["trainer"]["accelerator"] = "cuda"
    with pytest.raises(ConfigError, match="cuda") as error:
        make_trainer(config, tmp_path, "x", None)
    assert "\n" not in str(error.value)
