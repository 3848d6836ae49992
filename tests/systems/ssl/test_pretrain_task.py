"""The methods over one branch: who learns, who follows, and what the watch says."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from ecgvision.core.errors import DataError
from ecgvision.nn.training.optimizer import OptimizerSettings
from ecgvision.systems.ssl.methods import Byol, Dino, SimClr
from ecgvision.systems.ssl.pretrain_inputs import Branch, TimeInput
from ecgvision.systems.ssl.pretrain_task import PretrainTask, final_decay
from ecgvision.systems.ssl.projection import DINOHead, byol_head, simclr_head
from ecgvision.systems.ssl.self_distillation import DINOLoss
from ecgvision.systems.ssl.views.signals import TimeViews


class Flat(nn.Module):
    """A small encoder of (N, 12, 40) signals."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(480, 16), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def make(name: str):
    torch.manual_seed(0)
    if name == "dino":
        branch = Branch(Flat(), DINOHead(16, 8, hidden=16, bottleneck=8))
        return branch, Dino(branch, DINOLoss(8), global_views=2, momentum=0.9, final_momentum=0.9)
    if name == "simclr":
        return Branch(Flat(), simclr_head(16, 8)), SimClr()
    branch = Branch(Flat(), byol_head(16, 8, hidden=16))
    return branch, Byol(branch, outputs=8, hidden=16, momentum=0.9)


def views(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 6, 12, 40, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", ["dino", "simclr", "byol"])
def test_the_branch_learns_and_the_average_does_not(name):
    branch, method = make(name)
    given = views(4 if name == "dino" else 2)
    answer = method(branch, given)
    assert answer.loss.isfinite()
    assert answer.features.shape == (6, 16)
    torch.testing.assert_close(answer.features, branch.features(given[0]))
    assert (answer.assignments is not None) == (name == "dino")
    answer.loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in branch.parameters())
    average = [p for n, p in method.named_parameters() if n.startswith(("teacher.", "target."))]
    assert not any(p.requires_grad for p in average)
    assert len(average) == (0 if name == "simclr" else len(list(branch.parameters())))


def test_the_teacher_follows_along_its_schedule():
    branch, method = make("byol")
    start = copy.deepcopy(method.target.model.state_dict())
    with torch.no_grad():
        for p in branch.parameters():
            p.add_(1.0)
    method.follow(branch, 5, 10)  # half a cosine from 0.9 to 1: 0.95
    for key, value in dict(method.target.model.named_parameters()).items():
        torch.testing.assert_close(value, start[key] + 0.05, atol=1e-6, rtol=0)
    kept = copy.deepcopy(method.target.model.state_dict())
    method.follow(branch, 10, 10)
    for key, value in dict(method.target.model.named_parameters()).items():
        torch.testing.assert_close(value, kept[key])


def test_weight_decay_ends_where_it_should():
    found = [final_decay(s, 100, start=0.04, end=0.4) for s in range(101)]
    assert found[0] == pytest.approx(0.04)
    assert found[50] == pytest.approx(0.22)
    assert found[100] == pytest.approx(0.4)
    assert (np.diff(found) > 0).all()


def test_views_are_in_millivolt_and_the_encoder_reads_them_standardised():
    source = TimeInput(TimeViews(local_views=1))
    batch = {"signal": torch.randn(4, 1, 12, 40)}
    plain = source(batch, 5)
    source.standardise.mean += 2
    source.standardise.std *= 4
    torch.testing.assert_close(source(batch, 5), (plain - 2) / 4)
    assert plain.shape == (3, 4, 12, 40)


def watched(features: torch.Tensor, assignments: torch.Tensor | None) -> PretrainTask:
    branch, method = make("simclr")
    task = PretrainTask(branch, TimeInput(TimeViews()), method,
                        optimizer=OptimizerSettings(1e-3, 0.0))  # fmt: skip
    task._seen = [(part, None if assignments is None else a) for part, a in zip(
        features.split(8), (assignments if assignments is not None else features).split(8),
        strict=True)]  # fmt: skip
    return task


def test_the_watch_knows_a_collapse_without_prototypes():
    apart = torch.randn(32, 16)
    alike = torch.ones(32, 16) + 1e-4 * torch.randn(32, 16)
    sound, broken = (watched(f, None)._watched() for f in (apart, alike))
    assert sound.verdict == "healthy"
    assert sound.spread == pytest.approx(1, abs=0.15)
    assert np.isnan(sound.used)
    assert broken.verdict == "constant features"
    one = torch.zeros(32, 8)
    one[:, 3] = 1
    assert watched(apart, one)._watched().verdict == "one prototype"


@pytest.mark.parametrize("prototypes", [False, True])
def test_the_watch_stops_what_has_diverged(prototypes):
    features = torch.randn(32, 16)
    features[20, 3] = float("nan")
    given = torch.full((32, 8), 1 / 8) if prototypes else None
    with pytest.raises(DataError, match="diverged"):
        watched(features, given)._watched()
