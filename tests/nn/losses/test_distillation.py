"""Distillation against torch.distributions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Bernoulli, kl_divergence

from ecgvision.core.errors import ConfigError
from ecgvision.nn.losses.distillation import bernoulli_kl


@given(st.integers(0, 2**31), st.floats(0.5, 8))
def test_equals_torch_distributions(seed, temperature):
    generator = torch.Generator().manual_seed(seed)
    t, s = torch.randn(2, 4, 3, generator=generator) * 3
    expected = kl_divergence(
        Bernoulli(logits=t.double() / temperature), Bernoulli(logits=s.double() / temperature)
    ).mean()
    ours = bernoulli_kl(t, s, temperature=temperature)
    torch.testing.assert_close(ours.double(), temperature**2 * expected, rtol=1e-3, atol=1e-5)


@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 9))
def test_sum_is_the_published_sum_of_element_means(seed, batch, labels):
    """nn.KLDivLoss's own mean over (B, 2) pairs of probabilities, label after label."""
    generator = torch.Generator().manual_seed(seed)
    t, s = torch.randn(2, batch, labels, generator=generator).double() * 2
    element_mean, published = torch.nn.KLDivLoss(reduction="none"), torch.tensor(0.0).double()
    for c in range(labels):
        p, q = t[:, c].sigmoid(), s[:, c].sigmoid()
        pairs = element_mean(torch.stack([q, 1 - q], 1).log(), torch.stack([p, 1 - p], 1))
        assert pairs.shape == (batch, 2)
        published = published + pairs.mean()
    ours = bernoulli_kl(t, s, reduction="sum")
    torch.testing.assert_close(ours.double(), published, rtol=1e-4, atol=1e-6)
    mean = bernoulli_kl(t, s)
    torch.testing.assert_close(ours, mean * labels / 2, rtol=1e-5, atol=1e-7)


@settings(deadline=None, max_examples=10)
@given(st.floats(0.5, 8))
def test_temperature_scales_both_reductions_alike(temperature):
    t, s = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
    mean, total = (
        bernoulli_kl(t, s, temperature=temperature, reduction=r) for r in ("mean", "sum")
    )
    torch.testing.assert_close(total, mean * 6 / 2)


def test_unknown_reductions_are_named():
    with pytest.raises(ConfigError, match="batchmean"):
        bernoulli_kl(torch.zeros(1, 1), torch.zeros(1, 1), reduction="batchmean")


def test_finite_for_any_logit():
    loss = bernoulli_kl(torch.tensor([[1e4, -1e4]]), torch.tensor([[-1e4, 1e4]]))
    assert torch.isfinite(loss)
    assert loss > 0
