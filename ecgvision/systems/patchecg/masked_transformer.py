"""Pre-norm transformer blocks over sequences with missing tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError

SLACK = 1.25
"""Largest ratio of token counts among records that are padded to one length. Our default.

Padding is then 3 % of the tokens over mixed layouts and 7 % over random lengths. On a CPU neither
smaller nor larger groups were faster beyond the noise. At 2, a quarter is padding; it is slower."""


class MaskedAttention(nn.Module):
    """Multi-head self-attention to the tokens that are present.

    Args:
        uniform: give every present token the same weight, independent of queries and keys (as
            PatchECG's public code does through an inverted mask).

    Shape:
        x: (B, N, width); present: (B, N) bool with at least one True per row, or None for all;
        result: (B, N, width).
    """

    def __init__(self, width: int, *, heads: int, dropout: float = 0.0, uniform: bool = False):
        super().__init__()
        if width < 1 or heads < 1 or width % heads:
            raise ConfigError("model.width must be a multiple of model.heads", value=(width, heads))
        self.heads, self.dropout, self.uniform = heads, dropout, uniform
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        q, k, v = self._split(x)
        mixed = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=None if present is None else present[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(mixed.transpose(1, 2).flatten(-2))

    def weights(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """Return the attention weights of `forward` without dropout, (B, heads, N, N).

        Queries come before keys; rows sum to 1. Computed separately because the fused kernel of
        `forward` does not return them.
        """
        q, k, _ = self._split(x)
        scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
        if present is not None:
            scores = scores.masked_fill(~present[:, None, None, :], -torch.inf)
        return scores.softmax(-1)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each (B, heads, N, width / heads)."""
        split = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)
        if self.uniform:
            q = q * 0  # all scores equal; the layer still gets a gradient (of zeros)
        return q, k, v


class MaskedBlock(nn.Module):
    """Transformer block: `X' = X + MHSA(LN X)`, `X'' = X' + MLP(LN X')`, 0 for missing tokens.

    Layer norm with epsilon 1e-6 and an MLP of four times the width with GELU, as in ViT
    (Dosovitskiy et al. 2021) and PatchECG's public code.

    Shape:
        x: (B, N, width); present: (B, N) bool or None for all; result: (B, N, width).
    """

    def __init__(self, width: int, *, heads: int, dropout: float = 0.0, uniform: bool = False):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = MaskedAttention(width, heads=heads, dropout=dropout, uniform=uniform)
        self.drop = nn.Dropout(dropout)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        x = x + self.drop(self.attention(self.norm1(x), present))
        x = x + self.mlp(self.norm2(x))
        return x if present is None else x.masked_fill(~present.unsqueeze(-1), 0.0)


class MaskedTransformer(nn.Module):
    """Transformer blocks and a final norm; returns the first token.

    Shape:
        x: (B, N, width); present: (B, N) bool, True for every first token;
        result: (B, width).
    """

    def __init__(
        self, width: int, *, depth: int, heads: int, dropout: float = 0.0, uniform: bool = False
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            MaskedBlock(width, heads=heads, dropout=dropout, uniform=uniform) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor, present: Tensor | None) -> Tensor:
        for block in self.blocks:
            x = block(x, present)
        return self.norm(x[:, 0])

    def packed(self, x: Tensor, present: Tensor) -> Tensor:
        """Same result as `forward`, without computing missing tokens.

        Records of similar length run as one group, padded to the longest. A group of records of
        equal length needs no mask.
        """
        order = (~present).byte().argsort(dim=1, stable=True)  # present tokens first, in order
        counts = present.sum(1).tolist()
        groups = length_groups(counts)
        results = []
        for group in groups:
            longest = max(counts[i] for i in group)
            rows = torch.tensor(group, device=x.device).unsqueeze(1)
            taken = order[rows, torch.arange(longest, device=x.device)]  # (G, longest)
            padded = any(counts[i] != longest for i in group)
            results.append(self(x[rows, taken], present[rows, taken] if padded else None))
        back = torch.tensor([i for group in groups for i in group], device=x.device).argsort()
        return torch.cat(results)[back]


def length_groups(counts: Sequence[int], slack: float = SLACK) -> list[list[int]]:
    """Return indices into `counts` in groups with `longest <= slack * shortest` in each."""
    groups: list[list[int]] = []
    shortest = 0
    for i in sorted(range(len(counts)), key=counts.__getitem__):
        if not groups or counts[i] > slack * shortest:
            groups.append([])
            shortest = counts[i]
        groups[-1].append(i)
    return groups
