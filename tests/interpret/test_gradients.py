"""Integrated gradients: complete, exact where a formula is known, silent where nothing is seen."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.interpret.gradients import integrated_gradients, patch_gradients
from ecgvision.systems.patchecg.network import PatchECG
from tests.plain_gradients import PlainIntegratedGradients

LABEL = 2


def network(encoder: str = "net1d", **changes) -> PatchECG:
    torch.manual_seed(0)
    sizes = {"leads": 3, "patches": 5, "patch_length": 16, "width": 16, "depth": 2, "heads": 2}
    model = PatchECG(4, **(sizes | {"patch_encoder": encoder} | changes))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "rank" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
        model.train()(*batch(8))  # running statistics away from 0 and 1
    return model.eval()


def batch(rows: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    patch = torch.rand(rows, 3, 5, 1, generator=generator) < 0.6
    observed = patch & (torch.rand(rows, 3, 5, 16, generator=generator) < 0.8)
    observed[:, 0, 0, 0] = True
    value = torch.randn(rows, 3, 5, 16, generator=generator)
    return torch.where(observed, value, torch.nan), observed


def wide(leads: int = 12) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(leads, 8, 5), nn.BatchNorm1d(8), nn.GELU(), nn.Conv1d(8, 8, 5, 2), nn.GELU(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 4),
    ).eval()  # fmt: skip


@pytest.mark.usefixtures("captum")
@pytest.mark.parametrize("s3", ["none", "before_cls"])
@pytest.mark.parametrize("encoder", ["net1d", "linear"])
def test_patches_add_up_to_what_they_change(encoder, s3):
    model, (value, observed) = network(encoder, s3=s3), batch(2)
    found = patch_gradients(model, value, observed, LABEL, steps=64, batch_size=64)
    assert found.shape == value.shape
    assert (found[~observed] == 0).all()
    assert not found.requires_grad
    with torch.no_grad():
        change = [model(v, observed)["patches"][:, LABEL] for v in (value, torch.zeros_like(value))]
    assert (change[0] - change[1]).abs().max() > 0.1
    torch.testing.assert_close(found.sum((1, 2, 3)), change[0] - change[1], atol=5e-3, rtol=5e-3)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.usefixtures("captum")
def test_a_network_over_twelve_leads_adds_up_over_what_is_observed():
    model, signal = wide(), torch.randn(3, 12, 80)
    observed = torch.rand(3, 12, 80) < 0.5
    found = integrated_gradients(model, signal, LABEL, observed=observed, baseline=0.2)
    without = torch.where(observed, 0.2, signal)  # the filled samples stay
    with torch.no_grad():
        change = (model(signal) - model(without))[:, LABEL]
    torch.testing.assert_close(found.sum((1, 2)), change, atol=1e-5, rtol=1e-3)
    assert (found[~observed] == 0).all()
    assert found[observed].any()


@pytest.mark.usefixtures("captum")
def test_a_linear_model_gives_weight_times_distance_in_mv():
    weight, signal = torch.randn(4, 12 * 20), torch.randn(5, 12, 20)
    found = integrated_gradients(
        lambda x: x.flatten(1) @ weight.T, signal, LABEL, baseline=-0.1, steps=2
    )
    torch.testing.assert_close(found, (signal + 0.1) * weight[LABEL].view(12, 20))


@pytest.mark.usefixtures("captum")
def test_a_product_shares_alike():
    found = integrated_gradients(lambda x: x[:, :1] * x[:, 1:], torch.tensor([[3.0, 4.0]]), 0)
    torch.testing.assert_close(found, torch.tensor([[6.0, 6.0]]))


@pytest.mark.usefixtures("captum")
def test_too_few_steps_are_told():
    def steep(x: Tensor) -> Tensor:
        return torch.sigmoid(200 * (x - 0.31))

    signal = torch.tensor([[0.0], [1.0]])
    with pytest.raises(ConfigError, match=r"row 1 misses .* by .*got 3.*more steps"):
        integrated_gradients(steep, signal, 0, steps=3)
    found = integrated_gradients(steep, signal, 0, steps=400)
    np.testing.assert_allclose(found.numpy().ravel(), [0, 1], atol=0.06)


@pytest.mark.usefixtures("captum")
def test_refusals():
    model, signal = wide(), torch.randn(2, 12, 80)
    with pytest.raises(ConfigError, match="eval mode"):
        integrated_gradients(wide().train(), signal, 0)
    with pytest.raises(ConfigError, match="eval mode"):
        patch_gradients(network().train(), *batch(), 0)
    for label in (-1, 4):
        with pytest.raises(ConfigError, match=f"label.*{label}"):
            integrated_gradients(model, signal, label)
    with pytest.raises(ConfigError, match="steps"):
        integrated_gradients(model, signal, 0, steps=0)
    with pytest.raises(DataError, match="mask"):
        integrated_gradients(model, signal, 0, observed=torch.ones(2, 12, 80))
    signal[1, 3, 4] = torch.nan
    with pytest.raises(DataError, match="not finite"):
        integrated_gradients(model, signal, 0)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    for name in ("captum", "captum.attr"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"captum.*\[train\]"):
        patch_gradients(network(), *batch(), 0)


def test_the_package_itself_agrees_with_the_plain_sum():
    attr = pytest.importorskip("captum.attr", reason="captum is not installed")

    signal, start = torch.randn(2, 12, 40), torch.zeros(2, 12, 40)
    arguments = {
        "baselines": start, "target": 1, "additional_forward_args": None, "n_steps": 20,
        "internal_batch_size": 8,
    }  # fmt: skip
    both = [kind(wide()).attribute(signal, **arguments) for kind in
            (attr.IntegratedGradients, PlainIntegratedGradients)]  # fmt: skip
    torch.testing.assert_close(both[0].float(), both[1], atol=1e-6, rtol=1e-4)
