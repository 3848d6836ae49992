"""The schedule against its own words, and the steps against torch's optimizers used by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from ecgvision.core.errors import ConfigError
from ecgvision.nn.training.optimizer import OptimizerSettings, make_optimizer


def test_cosine_rises_then_falls_to_nothing():
    settings = OptimizerSettings(1.0, 0.0, warmup=0.1)
    factors = [settings.factor(step, 100) for step in range(101)]
    assert factors[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert factors[10] == pytest.approx(1.0)
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0.0, abs=1e-12)
    assert all(a >= b for a, b in pairwise(factors[10:]))


def test_step_is_a_tenth_at_each_milestone():
    settings = OptimizerSettings(1.0, 0.0, warmup=0, schedule="step", milestones=(0.4, 0.7))
    assert [settings.factor(step, 10) for step in range(10)] == pytest.approx(
        [1] * 4 + [0.1] * 3 + [0.01] * 3
    )


def test_constant_stays():
    settings = OptimizerSettings(1.0, 0.0, warmup=0, schedule="constant")
    assert {settings.factor(step, 7) for step in range(20)} == {1.0}


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_vectors_are_not_decayed_and_frozen_weights_are_left_out(name, kind):
    torch.manual_seed(0)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    frozen = nn.Linear(2, 2).requires_grad_(False)
    made = make_optimizer(
        nn.Sequential(ours, frozen), 10,
        OptimizerSettings(0.1, 0.5, warmup=0, name=name, schedule="constant"), fused=False,
    )["optimizer"]  # fmt: skip
    reference = kind([{"params": [theirs.weight], "weight_decay": 0.5},
                      {"params": [theirs.bias], "weight_decay": 0.0}], lr=0.1)  # fmt: skip
    before = [p.clone() for p in frozen.parameters()]
    for _ in range(3):
        for model, optimizer in ((ours, made), (theirs, reference)):
            optimizer.zero_grad()
            model(torch.ones(4, 3)).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)
    assert all(torch.equal(a, b) for a, b in zip(before, frozen.parameters(), strict=True))


@pytest.mark.parametrize(
    "wrong",
    [{"lr": 0.0}, {"weight_decay": -1.0}, {"warmup": 1.0}, {"name": "sgd"}, {"schedule": "poly"},
     {"schedule": "step", "milestones": (1.5,)}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError):
        OptimizerSettings(**({"lr": 1e-3, "weight_decay": 0.0} | wrong))
