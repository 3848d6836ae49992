"""Focal loss against a plain loop, binary cross-entropy and torchvision."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from ecgvision.core.errors import ConfigError
from ecgvision.nn.losses.focal import focal


def plain(logits: list[list[float]], target: list[list[int]], alpha: float, gamma: float) -> float:
    terms = []
    for row, truth in zip(logits, target, strict=True):
        for z, t in zip(row, truth, strict=True):
            p = 1 / (1 + math.exp(-z))
            p_t = p if t else 1 - p
            terms.append(-alpha * (1 - p_t) ** gamma * math.log(p_t))
    return sum(terms) / len(terms)


def example(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, 3, generator=generator) * 3
    return logits, torch.randint(0, 2, (4, 3), generator=generator)


@given(st.integers(0, 2**31), st.floats(0.1, 4), st.floats(0, 5))
def test_equals_the_plain_loop(seed, alpha, gamma):
    logits, target = example(seed)
    expected = plain(logits.tolist(), target.tolist(), alpha, gamma)
    assert float(focal(logits, target, alpha=alpha, gamma=gamma)) == pytest.approx(
        expected, rel=1e-4, abs=1e-6
    )


def test_equals_torchvision():
    logits, target = example(0)
    theirs = sigmoid_focal_loss(logits, target.float(), alpha=-1, gamma=2, reduction="mean")
    torch.testing.assert_close(focal(logits, target), theirs)


@pytest.mark.parametrize("soft", [False, True])
def test_gamma_0_is_binary_cross_entropy(soft):
    logits, target = example(1)
    truth = target.float() * 0.8 + 0.1 if soft else target.float()
    torch.testing.assert_close(
        focal(logits, truth, gamma=0), F.binary_cross_entropy_with_logits(logits, truth)
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("truth", [0, 1])
def test_large_logits_give_finite_loss_and_gradient(gamma, truth):
    logits = torch.tensor([[1e4, -1e4, 200.0, -200.0, 0.0]], requires_grad=True)
    loss = focal(logits, torch.full((1, 5), truth), gamma=gamma)
    loss.backward()
    assert torch.isfinite(loss)
    assert loss > 0
    assert torch.isfinite(logits.grad).all()
    wrong = 1 if truth else 0  # at this logit the error is certain: the loss is the margin itself
    assert float(logits.grad[0, wrong]) == pytest.approx((-1) ** truth / 5)


def test_what_is_easy_counts_for_less():
    easy, hard = torch.tensor([[3.0]]), torch.tensor([[-3.0]])
    one = torch.ones(1, 1)
    assert focal(hard, one) / focal(easy, one) > focal(hard, one, gamma=0) / focal(
        easy, one, gamma=0
    )


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": math.nan}, {"gamma": -1.0}])
def test_wrong_settings_are_named(wrong):
    with pytest.raises(ConfigError, match=str(next(iter(wrong.values())))):
        focal(torch.zeros(1, 1), torch.zeros(1, 1), **wrong)


def test_shapes_must_agree():
    with pytest.raises(ConfigError, match="one shape"):
        focal(torch.zeros(2, 3), torch.zeros(2, 1))
