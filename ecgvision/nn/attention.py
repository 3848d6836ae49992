"""Self-modal (SMAM) and cross-modal (CMAM) attention over token sequences.

The paper (Nam et al., ICIP 2024) publishes no equations for either; these are pre-norm
transformer blocks, our default because they train stably without warm-up tricks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError


class Attention(nn.Module):
    """Multi-head attention of queries `x` over keys and values `y`.

    Dropout is applied to the output, not to the attention weights. Our default: over the 1,728
    cells of a page, dropout of the weights takes a CPU six times as long.

    Shape:
        x: (B, N, width); y: (B, M, width); result: (B, N, width).
    """

    def __init__(self, width: int, *, heads: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError("model.width must be a multiple of model.heads", value=(width, heads))
        self.heads = heads
        self.dropout = nn.Dropout(dropout)
        self.to_q = nn.Linear(width, width)
        self.to_kv = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, N, width / heads)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        k, v = self.to_kv(y).chunk(2, dim=-1)
        mixed = F.scaled_dot_product_attention(
            self._split(self.to_q(x)), self._split(k), self._split(v)
        )
        return self.dropout(self.out(mixed.transpose(1, 2).flatten(-2)))


def _mlp(width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, 4 * width),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(4 * width, width),
    )


class SMAM(nn.Module):
    """Self-modal attention: long-range dependencies inside one stream.

    `X' = X + MHSA(LN X)`, `X'' = X' + MLP(LN X')`.

    Shape:
        x: (B, N, width); result: the same.
    """

    def __init__(self, width: int, *, heads: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads=heads, dropout=dropout)
        self.mlp = _mlp(width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        x = x + self.attention(normed, normed)
        return x + self.mlp(x)


class CMAM(nn.Module):
    """Cross-modal attention: stream `x` attends to stream `y`.

    `X' = X + tanh(g) MHCA(LN X, LN Y)`, `X'' = X' + MLP(LN X')`, with a learned scalar `g`.

    Args:
        gate: initial value of `g`. Our default: 0.1, because at 0 no gradient reaches `y` in the
            first step.

    Shape:
        x: (B, N, width); y: (B, M, width); result: (B, N, width).
    """

    def __init__(
        self, width: int, *, heads: int = 8, dropout: float = 0.1, gate: float = 0.1
    ) -> None:
        super().__init__()
        self.norm_x = nn.LayerNorm(width)
        self.norm_y = nn.LayerNorm(width)
        self.attention = Attention(width, heads=heads, dropout=dropout)
        self.gate = nn.Parameter(torch.tensor(float(gate)))
        self.mlp = _mlp(width, dropout)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        x = x + torch.tanh(self.gate) * self.attention(self.norm_x(x), self.norm_y(y))
        return x + self.mlp(x)
