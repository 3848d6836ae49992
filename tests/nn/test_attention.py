"""Attention against torch's own multi-head attention."""

from __future__ import annotations

import torch
from torch import nn

from ecgvision.nn.attention import CMAM, SMAM, Attention


def reference(attention: Attention, width: int) -> nn.MultiheadAttention:
    other = nn.MultiheadAttention(width, attention.heads, batch_first=True)
    other.in_proj_weight.data = torch.cat([attention.to_q.weight, attention.to_kv.weight]).detach()
    other.in_proj_bias.data = torch.cat([attention.to_q.bias, attention.to_kv.bias]).detach()
    other.out_proj.load_state_dict(attention.out.state_dict())
    return other.eval()


def test_attention_equals_torch():
    torch.manual_seed(0)
    ours = Attention(32, heads=4).eval()
    x, y = torch.randn(2, 5, 32), torch.randn(2, 9, 32)
    torch.testing.assert_close(ours(x, y), reference(ours, 32)(x, y, y)[0])


def test_smam_is_the_stated_formula():
    torch.manual_seed(0)
    smam, x = SMAM(16, heads=2).eval(), torch.randn(2, 5, 16)
    n = smam.norm(x)
    inner = x + reference(smam.attention, 16)(n, n, n)[0]
    torch.testing.assert_close(smam(x), inner + smam.mlp(inner))


def test_a_shut_gate_hides_the_other_stream():
    torch.manual_seed(0)
    cmam = CMAM(16, heads=2, gate=0.0).eval()
    x, y = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    torch.testing.assert_close(cmam(x, y), cmam(x, 3 * y + 1))
    torch.testing.assert_close(cmam(x, y), x + cmam.mlp(x))
