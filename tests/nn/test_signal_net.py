"""The plain classifier: which leads it reads, and what missing samples do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.nn.signal_net import SignalInput, SignalNet


def batch(seed: int = 0, n: int = 3, length: int = 200):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, 12, length, generator=rng), torch.ones(n, 12, length, dtype=torch.bool)


@pytest.mark.parametrize("leads", [["I"], ["V6", "II"], None])
def test_only_the_leads_it_was_made_for_matter(leads):
    torch.manual_seed(0)
    net = SignalNet(4, encoder="xresnet1d18", leads=leads).eval()
    value, observed = batch()
    before = net(value, observed)["signal"]
    others = [i for i, lead in enumerate(LEADS) if lead not in net.leads]
    changed, hidden = value.clone(), observed.clone()
    changed[:, others], hidden[:, others] = 99.0, False
    assert torch.equal(net(changed, hidden)["signal"], before)
    mine = LEADS.index(net.leads[0])
    changed[:, mine] += torch.randn(changed[:, mine].shape)
    assert not torch.allclose(net(changed, hidden)["signal"], before)


def test_one_patch_a_lead_is_the_signal():
    net = SignalNet(4, encoder="xresnet1d18").eval()
    value, observed = batch()
    whole = net(value, observed)["signal"]
    torch.testing.assert_close(net(value[:, :, None], observed[:, :, None])["signal"], whole)


@pytest.mark.parametrize("scale", ["lead", "global"])
def test_values_where_nothing_was_observed_have_no_effect(scale):
    net = SignalNet(4, encoder="xresnet1d18", scale=scale).eval()
    value, observed = batch()
    observed[:, :, 50:] = False
    other = torch.where(observed, value, torch.full_like(value, float("nan")))
    torch.testing.assert_close(net(other, observed), net(value, observed))


def test_one_scale_for_all_leads_is_what_a_standard_scaler_does():
    value, observed = batch()
    observed[0, 3, 10:30] = False
    layer = SignalInput(12, "global")
    layer.set_scale(0.2, 1.7)
    expected = np.where(observed.numpy(), (value.numpy() - 0.2) / 1.7, 0)
    np.testing.assert_allclose(layer(value, observed).numpy(), expected, atol=1e-6)


def test_leads_are_centred_on_what_is_observed_of_them():
    value, observed = batch(n=2)
    observed[:, :, 100:] = False
    layer = SignalInput(12).eval()
    x = layer(value + 5, observed)
    torch.testing.assert_close(x[..., :100].mean(-1), torch.zeros(2, 12), atol=1e-5, rtol=0)
    assert not x[..., 100:].any()


@pytest.mark.parametrize("leads", [[], ["II", "II"], ["X1"], "V7"])
def test_leads_that_are_none_are_refused(leads):
    with pytest.raises(ConfigError, match="twelve"):
        SignalNet(4, encoder="xresnet1d18", leads=leads)
