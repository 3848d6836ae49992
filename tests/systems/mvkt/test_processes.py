"""Several processes: what DistributedDataParallel broadcasts of a task, and what it must not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed, multiprocessing, nn
from torch.optim.swa_utils import AveragedModel

from ecgvision.nn.losses.pairs import Distillation
from ecgvision.nn.signal_net import SignalNet
from ecgvision.nn.training.optimizer import OptimizerSettings
from ecgvision.nn.training.teacher import Teacher
from ecgvision.systems.mvkt.contrastive import ContrastiveTransfer
from ecgvision.systems.mvkt.task import MvktTask

LABELS, RECORDS = 3, 20
BANKS = {f"contrastive.{name}" for name in ContrastiveTransfer.EQUAL}


class Alone(MvktTask):
    """The task without a trainer; its loss is what it returns."""

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.stack(list(self.compute(batch)[1].values())).sum()

    def log_dict(self, *_: Any, **__: Any) -> None:
        pass


def task() -> Alone:
    torch.manual_seed(0)
    teacher = SignalNet(LABELS, encoder="resnet1d_lite")
    student = SignalNet(LABELS, encoder="resnet1d_lite", leads=["II"])
    targets = (torch.rand(RECORDS, LABELS) < 0.3).to(torch.uint8)
    return Alone(
        student, Teacher(teacher),
        distillation=Distillation({"teacher_to_student": 1.0}, streams=("student", "teacher")),
        contrastive=ContrastiveTransfer(student.width, teacher.width, RECORDS, targets, k=8, size=8),
        features=None, row_of={100 + row: row for row in range(RECORDS)},
        weights={"bce": 1.0, "clt": 0.8}, optimizer=OptimizerSettings(1e-2, 0.0),
    )  # fmt: skip


def batch(rank: int, step: int, n: int = 4) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(10 * step + rank)
    return {
        "value": torch.randn(n, 12, 1, 200, generator=generator) * (1 + rank),
        "observed": torch.ones(n, 12, 1, 200, dtype=torch.bool),
        "target": (torch.rand(n, LABELS, generator=generator) < 0.3).float(),
        "index": 100 + torch.randperm(RECORDS, generator=generator)[:n],
    }


def test_the_data_s_indices_are_no_buffers():
    """Averaging, training and broadcasts touch buffers, and an index that is touched is wrong."""
    made = task()
    kept = made.state_dict()
    for name, buffer in made.named_buffers():
        assert name in kept or buffer.is_floating_point(), name
    assert kept.keys() >= BANKS
    averaged: Any = AveragedModel(made, use_buffers=True)
    made.train()(batch(0, 0))
    averaged.update_parameters(made)
    averaged.update_parameters(made)
    assert torch.equal(averaged.module.row_of, made.row_of)
    assert torch.equal(averaged.module.contrastive.targets, made.contrastive.targets)


def _one_process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2,
        timeout=timedelta(seconds=60),
    )  # fmt: skip
    made = task().train()
    strategy = DDPStrategy(parallel_devices=[torch.device("cpu")] * 2,
                           cluster_environment=LightningEnvironment())  # fmt: skip
    wrapped = strategy._setup_model(made)  # as Lightning wraps it
    optimizer = torch.optim.SGD(made.parameters(), lr=0.01)
    for step in range(2):
        optimizer.zero_grad()
        wrapped(batch(rank, step)).backward()
        optimizer.step()
    apart = {name: value.clone() for name, value in made.named_buffers()}
    wrapped(batch(rank, 2))  # brings over what the first process has, then goes on by itself
    names = {id(value): name for name, value in made.named_buffers()}
    told = {
        "broadcast": sorted(names[id(value)] for value in wrapped.modules_buffers),
        "ignored": sorted(wrapped.parameters_to_ignore), "apart": apart,
        "state": {name: value.clone() for name, value in made.state_dict().items()},
    }  # fmt: skip
    for norm in (m for m in made.modules() if isinstance(m, nn.BatchNorm1d)):
        norm.eval()
    wrapped(batch(rank, 3))
    told["after"] = {name: value.clone() for name, value in made.named_buffers()}
    torch.save(told, f"{folder}/rank{rank}.pt")
    distributed.destroy_process_group()


def test_banks_are_not_broadcast_and_running_statistics_are(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    multiprocessing.spawn(_one_process, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"rank{r}.pt", weights_only=True) for r in (0, 1))
    everything = {name for name, _ in task().named_buffers()}
    assert everything >= BANKS
    statistics = {n for n in everything if n.endswith(("running_mean", "running_var"))}
    assert len(statistics) > 4
    for told in (first, second):
        assert set(told["ignored"]) == BANKS
        assert set(told["broadcast"]) == everything - BANKS
        assert told["state"].keys() > BANKS  # checkpoints hold them as ever
    for name in BANKS:  # equal by themselves
        assert torch.equal(first["after"][name], second["after"][name]), name
    assert int(first["after"]["contrastive.step"]) == 4
    moved = task()
    assert not torch.equal(first["after"]["contrastive.student_bank"],
                           moved.contrastive.student_bank)  # fmt: skip
    # each process normalises by its own batch, and starts each step from the first one's figures
    assert any(not torch.equal(first["apart"][n], second["apart"][n]) for n in statistics)
    for name in statistics:
        assert torch.equal(first["after"][name], second["after"][name]), name
