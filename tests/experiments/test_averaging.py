"""The moving average of the weights, in every system and with every encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ecgvision.nn.image_encoders.image_encoder import OWN, image_encoder
from ecgvision.nn.signal_encoders import SIGNAL_ENCODERS, signal_encoder
from ecgvision.systems import SYSTEMS
from ecgvision.trained_runs import build
from experiments.configure import configure
from experiments.run import run
from experiments.train import RampedEMA

pytestmark = pytest.mark.usefixtures("plain_runs")

UPDATES = 90
"""More than the 69 from which rounding showed."""

SMALL = ("data=store", "data.small=true", "data.num_workers=0", "trainer.accelerator=cpu",
         "trainer.max_epochs=1", "draws=10")  # fmt: skip
PAGES = ("data.image_size=[64,96]",)
RUNS = {
    "vizecg": PAGES, "patchecg": ("model.width=16", "model.heads=2", "model.patch_encoder=net1d"),
    "signal": (), "mvkt": (), "read": PAGES, "ssl_pretrain": (), "ssl_finetune": (),
}  # fmt: skip


def averaged(module: nn.Module) -> AveragedModel:
    """The average after many steps of buffers that do not change, but count.

    Of each weight one number is left: they are averaged one by one, and take most of the time."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.data = parameter.data.flatten()[:1].clone()
    average = AveragedModel(module, use_buffers=True, **RampedEMA(0.999)._kwargs)
    for _ in range(UPDATES):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.01)
            for name, buffer in module.named_buffers():
                if name.endswith("num_batches_tracked"):
                    buffer.add_(1)
        average.update_parameters(module)
    return average


def check(module: nn.Module) -> None:
    average = averaged(module)
    ours, theirs = dict(average.module.named_buffers()), dict(module.named_buffers())
    for name, buffer in theirs.items():
        torch.testing.assert_close(ours[name], buffer, rtol=0, atol=0, equal_nan=True, msg=name)


def test_it_is_known_how_to_build_every_system():
    assert set(RUNS) == set(SYSTEMS)


@pytest.mark.parametrize("system", RUNS)
def test_no_buffer_of_a_system_is_changed_by_averaging(system: str, tiny_store: Path, tmp_path):
    config = configure([f"+exp={system}", *SMALL, *RUNS[system], f"data.store=[{tiny_store}]",
                        f"run_dir={tmp_path}"])  # fmt: skip
    if system == "mvkt":
        teacher = configure(["+exp=signal", *SMALL, "model.encoder=resnet1d_lite",
                             f"data.store=[{tiny_store}]", f"run_dir={tmp_path}"])  # fmt: skip
        config["teacher"]["checkpoint"] = str(run(teacher) / "checkpoints/best.ckpt")
    config["data"]["images"] = []
    data = build.build_data(config, build.build_cohort(config))
    check(build.build_task(config, data, pretrained=True))


@pytest.mark.parametrize("name", [*SIGNAL_ENCODERS])
def test_no_buffer_of_a_signal_encoder_is_changed_by_averaging(name: str):
    check(signal_encoder(name))


@pytest.mark.parametrize("name", [*OWN, "test_efficientnet", "test_vit"])
def test_no_buffer_of_an_image_encoder_is_changed_by_averaging(name: str):
    check(image_encoder(name, (64, 96)))


def test_an_average_is_of_floating_tensors_alone():
    module = nn.Module()
    module.weight = nn.Parameter(torch.zeros(2))
    module.register_buffer("index", torch.arange(64) // 8, persistent=False)
    module.register_buffer("flag", torch.tensor([True, False]))
    module.register_buffer("mean", torch.zeros(2))
    average = AveragedModel(module, use_buffers=True, **RampedEMA(0.5)._kwargs)
    average.update_parameters(module)  # the first update copies
    for _ in range(100):
        average.update_parameters(module)
    with torch.no_grad():
        module.weight.fill_(1.0)
        module.mean.fill_(1.0)
        module.flag.logical_not_()
        module.index.add_(1)
    average.update_parameters(module)
    assert average.module.weight.tolist() == [0.5, 0.5]
    assert average.module.mean.tolist() == [0.5, 0.5]
    assert torch.equal(average.module.index, module.index)
    assert torch.equal(average.module.flag, module.flag)
