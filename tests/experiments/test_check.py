"""Values that settings take, and values that exclude one another."""

from __future__ import annotations

import pytest

from ecgvision.core.errors import EcgVisionError
from experiments import check
from experiments.configure import configure


@pytest.mark.parametrize(
    ("exp", "override"),
    [
        ("signal", "loss.distill=1"),
        *[("patchecg", word) for word in (
            "optimizer.lr=abc", "optimizer.milestones=0.5", "data.fractions=0.5", "data.noise=abc",
            "data.batch_size=abc", "trainer.max_epochs=many", "model.packed=7", "draws=[1]",
            "loss.name=[focal]", "model.patch_encoder=null",
        )],
        *[("ssl_pretrain", word) for word in (
            "ssl.local_views=x", "ssl.momentum=x", "ssl.final_momentum=x", "loss.prototypes=[16]",
            "data.image_size=x", "data.batch_size=x", "model.time_encoder=[a]",
            "ssl.momentum=null",
        )],
        *[("vizecg", word) for word in (
            "trainer.devices=true", "trainer.devices=[-1]", "trainer.devices=[0,0]",
            "trainer.devices=1.5", "seed=4294967296", "trainer.limit_val_batches=1.5",
            "trainer.limit_test_batches=-1", "data.seconds=0", "data.folds.train=[a]",
            "data.seconds=.inf",
        )],
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(exp, override):
    with pytest.raises(EcgVisionError, match=override.split("=")[0]):
        configure([f"+exp={exp}", override])


@pytest.mark.parametrize(
    ("exp", "words"),
    [
        ("ssl_pretrain", "ssl.final_weight_decay=null"),
        ("mvkt", "data.layouts=12x1 data.student_leads=II trainer.devices=auto"),
        ("vizecg", "trainer.precision=32 trainer.limit_val_batches=3 trainer.gradient_clip=0"),
        ("vizecg", "trainer.precision=bf16-mixed trainer.ema_decay=0 trainer.patience=0"),
        ("vizecg", "data.labels=columns seed=4294967295 wandb.group=7"),
        ("patchecg", "data.artefacts=[clean] data.images=x"),
        ("vizecg_ssl", "image.exp=null"),
    ],
)
def test_what_means_something_is_taken(exp, words):
    configure([f"+exp={exp}", *words.split()])


def test_what_a_run_writes_down_is_taken_again():
    config = configure(["+exp=patchecg", "input=page", "model.reader=x", "teacher.checkpoint=y"])
    config["teacher"]["weights"] = "0123"
    config["reader"] = {"model": {"image_encoder": "readnet"}, "data": {"seconds": 10.0}}
    config["data"] |= {"images": [], "signal_window": "record", "image_size": [64, 96], "dpi": 25}
    check.check_config(config)


@pytest.mark.parametrize("devices", ["auto", "-1", "'2'", "[0,1]", "'0,1'", "'1,'", "8"])
def test_devices_of_a_gpu_are_taken_as_lightning_takes_them(devices, monkeypatch):
    monkeypatch.setattr(check, "gpu_may_be_here", lambda *_: True)
    configure(["+exp=vizecg", "trainer.accelerator=gpu", f"trainer.devices={devices}"])
    configure(["+exp=vizecg", f"trainer.devices={devices}"])


def test_without_a_gpu_devices_are_processes_and_none_is_looked_for(monkeypatch):
    monkeypatch.setattr(check, "gpu_may_be_here", lambda *_: False)
    for devices in ("[0,1]", "-1", "800"):
        with pytest.raises(EcgVisionError, match=r"trainer\.devices"):
            configure(["+exp=vizecg", f"trainer.devices={devices}"])
    for accelerator in ("gpu", "cuda", "mps"):
        with pytest.raises(EcgVisionError, match=f"accelerator={accelerator} finds no such device"):
            configure(["+exp=vizecg", f"trainer.accelerator={accelerator}"])
    configure(["+exp=vizecg", "trainer.devices=2"])
