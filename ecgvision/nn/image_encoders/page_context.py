"""Blocks that give each cell of a page's feature map context from the rest of the page."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError
from ecgvision.nn.attention import SMAM

ALONG, ACROSS = 33, 25
"""Kernel sizes of a block in cells, along a row and across the rows. Our default.

They span half a page of 16-pixel cells in each direction, so two blocks cover the full page."""


def sine_positions(rows: int, columns: int, width: int) -> Tensor:
    """Return 2-D sinusoidal position embeddings, (width, rows, columns).

    One half of the channels holds sines and cosines of y, the other half those of x. Wavelengths
    fall geometrically from twice the page to two cells, so that neighbours differ (Vaswani et al.
    2017, section 3.5, in two dimensions as Carion et al. 2020).

    Raises:
        ConfigError: for a width that is not a multiple of 4.
    """
    if width % 4:
        raise ConfigError("model.width must be a multiple of 4", value=width)
    half = []
    for count in (rows, columns):
        place = (torch.arange(count) + 0.5) / count
        octaves = torch.linspace(0, math.log2(max(count, 2)), width // 4)
        phase = math.pi * place * 2.0 ** octaves[:, None]
        half.append(torch.cat([phase.sin(), phase.cos()]))
    y = half[0][:, :, None].expand(-1, -1, columns)
    x = half[1][:, None, :].expand(-1, rows, -1)
    return torch.cat([y, x])


class CrossBlock(nn.Module):
    """Residual block of long depthwise row and column convolutions, then a pointwise MLP.

    The kernels are long strips (as in Guo et al. 2022): a label at the left of a row names the
    lead of that row, and the rows above and below determine the layout.

    Shape:
        x: (B, width, rows, columns); result: the same.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.along = nn.Conv2d(width, width, (1, ALONG), padding=(0, ALONG // 2), groups=width)
        self.across = nn.Conv2d(width, width, (ACROSS, 1), padding=(ACROSS // 2, 0), groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.mix = nn.Sequential(
            nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(self.norm(x + self.along(x) + self.across(x)))


class PageContext(nn.Module):
    """Global context for a feature map, with position embeddings.

    A `CrossBlock`, self-attention over all cells at half the resolution, and another `CrossBlock`.

    Args:
        grid: (rows, columns) of the map.
        depth: number of attention blocks.

    Shape:
        x: (B, width, rows, columns); result: the same.
    """

    positions: Tensor
    coarse: Tensor

    def __init__(
        self, width: int, grid: tuple[int, int], *, depth: int = 3, heads: int = 4,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        rows, columns = grid
        half = ((rows + 1) // 2, (columns + 1) // 2)
        self.register_buffer("positions", sine_positions(rows, columns, width), persistent=False)
        self.register_buffer("coarse", sine_positions(*half, width), persistent=False)
        self.first, self.last = CrossBlock(width), CrossBlock(width)
        self.shrink = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.among = nn.Sequential(*(SMAM(width, heads=heads, dropout=dropout)
                                     for _ in range(depth)))  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x + self.positions)
        y = self.shrink(x) + self.coarse
        y = self.among(y.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, y.shape[2:])
        return self.last(x + F.interpolate(y, size=x.shape[2:], mode="bilinear"))
