"""Attention rollout against matrices multiplied in numpy, and what must hold of any."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.interpret.rollout import attention_rollout
from ecgvision.systems.patchecg.masked_transformer import MaskedAttention
from ecgvision.systems.patchecg.network import PatchECG

GRID = (3, 5, 16)


def network(**changes) -> PatchECG:
    torch.manual_seed(0)
    sizes = {"leads": 3, "patches": 5, "patch_length": 16, "width": 16, "depth": 3, "heads": 4}
    model = PatchECG(4, **(sizes | {"patch_encoder": "linear"} | changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def batch(rows: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    observed = torch.rand(rows, *GRID[:2], 1, generator=generator) < 0.6
    observed = (observed & (torch.rand(rows, *GRID, generator=generator) < 0.8)).contiguous()
    observed[:, 0, 0, 0] = True
    return torch.randn(rows, *GRID, generator=generator), observed


@pytest.mark.parametrize("uniform", [False, True])
def test_equals_the_product_of_whole_matrices(uniform):
    model, (value, observed) = network(official_uniform_attention=uniform), batch()
    kept: list[tuple[Tensor, Tensor]] = []
    for block in model.transformer.blocks:
        block.attention.register_forward_pre_hook(lambda _, args: kept.append(args))
    rollout = attention_rollout(model, value, observed).numpy()
    for row in range(len(value)):
        present = np.flatnonzero(np.r_[True, observed[row].any(-1).flatten().numpy()])
        product = np.eye(len(present))
        for block, (x, _) in zip(model.transformer.blocks, kept, strict=True):
            qkv = block.attention.qkv(x[row, present]).detach().double().numpy()
            q, k, _ = qkv.reshape(len(present), 3, 4, 4).transpose(1, 2, 0, 3)
            scores = q @ k.transpose(0, 2, 1) / 2 * (not uniform)
            weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
            product = (weights.mean(0) + np.eye(len(present))) / 2 @ product
        expected = np.zeros(16)
        expected[present] = product[0]
        expected = expected[1:] / expected[1:].sum()
        np.testing.assert_allclose(rollout[row].ravel(), expected, atol=1e-6)


def test_shares_of_observed_patches_alone():
    model, (value, observed) = network(), batch()
    rollout = attention_rollout(model, value, observed)
    present = observed.any(-1)
    torch.testing.assert_close(rollout.sum((1, 2)), torch.ones(len(value)))
    assert (rollout[~present] == 0).all()
    assert (rollout[present] > 0).all()
    hidden = torch.where(observed, value, torch.nan)
    torch.testing.assert_close(attention_rollout(model, hidden, observed), rollout)


def test_a_patch_that_every_token_looks_at_gets_most():
    model, (value, observed) = network(depth=2), batch(1)
    observed[:] = True
    value[:] = 0.0
    value[0, 1, 3] = 1.0
    with torch.no_grad():
        model.embedding.parts[0].zero_()
        model.embedding.parts[1].zero_()
        for block in model.transformer.blocks:  # keys far along what sets this one patch apart
            tokens = model._tokens(value, observed, observed.any(-1).flatten(1))
            normed = block.norm1(tokens)[0]
            apart = normed[1 * 5 + 3] - normed[0]
            weight, bias = block.attention.qkv.weight, block.attention.qkv.bias
            weight[:16], bias[:16] = 0.0, 1.0
            weight[16:32], bias[16:32] = apart / apart.norm() * 9, 0.0
    rollout = attention_rollout(model, value, observed)
    assert rollout.argmax() == 1 * 5 + 3
    assert rollout.max() > 3 / 15


def test_one_patch_gets_all():
    model, (value, observed) = network(), batch(2)
    observed[:] = False
    observed[:, 2, 4, 3] = True
    expected = torch.zeros(2, 3, 5)
    expected[:, 2, 4] = 1.0
    torch.testing.assert_close(attention_rollout(model, value, observed), expected)


@pytest.mark.parametrize("masked", [False, True])
def test_weights_are_those_of_the_fused_attention(masked):
    torch.manual_seed(0)
    attention, x = MaskedAttention(12, heads=3), torch.randn(2, 7, 12)
    present = torch.rand(2, 7) < 0.5 if masked else None
    if present is not None:
        present[:, 0] = True
    weights = attention.weights(x, present)
    v = F.linear(x, attention.qkv.weight[24:], attention.qkv.bias[24:])
    mixed = weights @ v.unflatten(-1, (3, 4)).transpose(1, 2)
    expected = attention.out(mixed.transpose(1, 2).flatten(-2))
    torch.testing.assert_close(attention(x, present), expected)


def test_leaves_the_model_as_it_was():
    model, (value, observed) = network(), batch()
    with torch.no_grad():
        before = model(value, observed)["patches"]
        attention_rollout(model, value, observed)
        assert torch.equal(model(value, observed)["patches"], before)
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_refusals():
    value, observed = batch()
    with pytest.raises(ConfigError, match="eval mode"):
        attention_rollout(network().train(), value, observed)
    with pytest.raises(ConfigError, match=r"S3 has mixed.*before_cls"):
        attention_rollout(network(s3="before_cls"), value, observed)
    model = network()
    with pytest.raises(DataError, match="row 0"):
        attention_rollout(model, value, torch.zeros_like(observed))
    assert not any(m._forward_pre_hooks for m in model.modules())
