"""A frozen teacher and its student: what is touched in training, and what is not."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ecgvision.nn.losses.features import FeatureDistillation
from ecgvision.nn.losses.pairs import Distillation
from ecgvision.nn.signal_net import SignalNet
from ecgvision.nn.training.optimizer import OptimizerSettings
from ecgvision.nn.training.teacher import Teacher
from ecgvision.systems.mvkt.contrastive import ContrastiveTransfer
from ecgvision.systems.mvkt.task import MvktTask

LABELS, RECORDS = 4, 20


def task(*, clt: bool = True, feature: bool = True) -> MvktTask:
    torch.manual_seed(0)
    teacher = SignalNet(LABELS, encoder="xresnet1d18")
    student = SignalNet(LABELS, encoder="xresnet1d18", leads=["II"])
    widths = (student.width, teacher.width)
    targets = (torch.rand(RECORDS, LABELS) < 0.3).to(torch.uint8)
    made = MvktTask(
        student,
        Teacher(teacher),
        distillation=Distillation({"teacher_to_student": 1.0}, streams=("student", "teacher")),
        contrastive=ContrastiveTransfer(*widths, RECORDS, targets, k=8, size=8) if clt else None,
        features=FeatureDistillation(*widths) if feature else None,
        row_of={100 + row: row for row in range(RECORDS)},
        weights={"bce": 1.0, "clt": 0.8, "feature": 0.5},
        optimizer=OptimizerSettings(1e-2, 0.0),
    )
    made.log_dict = lambda *_, **__: None  # there is no trainer
    return made


def batch(n: int = 4) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        "value": torch.randn(n, 12, 1, 200),
        "observed": torch.ones(n, 12, 1, 200, dtype=torch.bool),
        "target": (torch.rand(n, LABELS) < 0.3).float(),
        "index": 100 + torch.arange(n),
    }


def test_the_teacher_does_not_change_by_one_bit():
    made = task().train()
    network = made.teacher.network
    before = copy.deepcopy(network.state_dict())
    optimizer = torch.optim.SGD(made.parameters(), lr=0.1)
    for _ in range(3):
        _, parts = made.compute(batch())
        optimizer.zero_grad()
        sum(parts.values()).backward()
        optimizer.step()
    assert not network.training
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    owned = {id(p) for p in made.parameters()}
    assert not owned & {id(p) for p in network.parameters()}
    assert not [key for key in made.state_dict() if key.startswith("teacher")]


def test_the_parts_are_those_asked_for_and_clt_is_of_training_alone():
    assert set(task().train().compute(batch())[1]) == {
        "bce", "kd_teacher_to_student", "clt", "feature",
    }  # fmt: skip
    assert set(task().eval().compute(batch())[1]) == {"bce", "kd_teacher_to_student", "feature"}
    assert set(task(clt=False, feature=False).train().compute(batch())[1]) == {
        "bce", "kd_teacher_to_student",
    }  # fmt: skip


def test_banks_move_for_the_records_of_the_batch_alone():
    made = task().train()
    bank = made.contrastive.student_bank
    before = bank.clone()
    made.compute(batch(3))
    changed = (bank != before).any(1)
    assert changed[:3].all()
    assert not changed[3:].any()


def test_logits_are_the_students_and_the_teachers_own():
    made, given = task().eval(), batch()
    logits, _ = made.compute(given)
    for name, network in (("student", made.model), ("teacher", made.teacher.network)):
        expected = network(given["value"], given["observed"])["signal"]
        torch.testing.assert_close(logits[name], expected)


class Counted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.head = nn.Linear(3, 2)

    def features(self, value, observed):
        self.calls += 1
        return value.mean(-1)[:, :3]


def test_answers_are_kept_by_record():
    network = Counted()
    teacher, plain = Teacher(network, remember=10), Teacher(network)
    value = torch.randn(6, 12, 5)
    observed = torch.ones_like(value, dtype=torch.bool)
    first = teacher(value[:4], observed[:4], torch.tensor([0, 2, 4, 9]))
    assert network.calls == 1
    again = teacher(value[:4] * 0, observed[:4], torch.tensor([9, 4, 2, 0]))
    assert network.calls == 1
    for a, b in zip(first, again, strict=True):
        torch.testing.assert_close(a, b.flip(0))
    teacher(value[2:6], observed[2:6], torch.tensor([4, 9, 5, 6]))  # two are new
    assert network.calls == 2
    expected = plain(value, observed)
    whole = teacher(value * 0, observed, torch.tensor([0, 2, 4, 9, 5, 6]))
    assert network.calls == 3
    for a, b in zip(whole, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_without_a_memory_every_call_is_computed():
    network = Counted()
    teacher = Teacher(network)
    value = torch.randn(2, 12, 5)
    for _ in range(2):
        teacher(value, torch.ones_like(value, dtype=torch.bool), torch.tensor([0, 1]))
    assert network.calls == 2


def test_a_record_outside_the_training_set_is_refused():
    made, given = task().train(), batch()
    given["index"][0] = 5  # before the first
    with pytest.raises(ValueError, match="rows must lie"):
        made.compute(given)
