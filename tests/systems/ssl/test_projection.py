"""Heads: unit prototypes, cosines as outputs, sizes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ecgvision.systems.ssl.projection import DINOHead, Prototypes, byol_head, simclr_head


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_prototypes_keep_length_1_whatever_is_trained():
    torch.manual_seed(0)
    layer = Prototypes(6, 9)
    optimizer = torch.optim.SGD(layer.parameters(), lr=10.0)
    for _ in range(3):
        layer(torch.randn(4, 6)).square().sum().backward()
        optimizer.step()
        torch.testing.assert_close(layer.unit_weight.norm(dim=1), torch.ones(9))
    assert not torch.allclose(layer.weight.norm(dim=1), torch.ones(9), atol=0.1)


def test_prototypes_are_weight_norm_with_its_gain_at_1():
    torch.manual_seed(0)
    ours, x = Prototypes(6, 9), torch.randn(4, 6)
    theirs = nn.utils.parametrizations.weight_norm(nn.Linear(6, 9, bias=False))
    with torch.no_grad():
        theirs.parametrizations.weight.original1.copy_(ours.weight)
        theirs.parametrizations.weight.original0.fill_(1)
    torch.testing.assert_close(ours(x), theirs(x))
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    torch.testing.assert_close(ours.weight.grad, theirs.parametrizations.weight.original1.grad)


def test_dino_outputs_are_cosines_and_scale_of_the_bottleneck_is_lost():
    torch.manual_seed(0)
    head = DINOHead(20, 50, hidden=16, bottleneck=8)
    x = torch.randn(2, 5, 20)
    z = head.mlp(x)
    w = head.prototypes.weight
    expected = torch.nn.functional.cosine_similarity(z.unsqueeze(2), w, dim=-1)
    torch.testing.assert_close(head(x), expected)
    kinds = [type(layer).__name__ for layer in head.mlp]
    assert kinds == ["Linear", "GELU", "Linear", "GELU", "Linear"]
    assert not any(isinstance(m, nn.modules.batchnorm._NormBase) for m in head.modules())


def test_published_sizes():
    mlp = (512 * 512 + 512) * 2 + 512 * 128 + 128
    assert count(DINOHead(512, 65_536)) == mlp + 128 * 65_536
    assert count(simclr_head(512)) == 512 * 512 + 512 + 512 * 128 + 128
    assert count(byol_head(512)) == 512 * 512 + 3 * 512 + 512 * 128 + 128
    predictor = byol_head(128)
    assert predictor(byol_head(512)(torch.randn(3, 512))).shape == (3, 128)
    assert simclr_head(512, hidden=64)(torch.randn(3, 512)).shape == (3, 128)


def test_heads_can_be_copied_and_saved():
    torch.manual_seed(0)
    head, x = DINOHead(20, 50), torch.randn(3, 20)
    assert torch.equal(copy.deepcopy(head)(x), head(x))
    other = DINOHead(20, 50)
    assert not torch.allclose(other(x), head(x))
    other.load_state_dict(head.state_dict())
    assert torch.equal(other(x), head(x))
    with pytest.raises(RuntimeError, match="size mismatch"):
        DINOHead(20, 51).load_state_dict(head.state_dict())
