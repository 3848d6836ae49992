"""Blocks by which every cell of a page's map learns what stands elsewhere on the page."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError
from ecgvision.nn.attention import SMAM

ALONG, ACROSS = 33, 25
"""Cells that a block sees along a row and across the rows: half a page of 16-pixel cells to either
side and above and below, so that two blocks see all of it. Our default."""


def sine_positions(rows: int, columns: int, width: int) -> Tensor:
    """(width, rows, columns): sines and cosines of y in one half of the channels, of x in the rest.

    Wave lengths fall geometrically from twice the page to two cells (Vaswani et al. 2017, section
    3.5, in two dimensions as Carion et al. 2020), so that neighbours can be told apart.

    Raises:
        ConfigError: for a width that four does not divide.
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
    """Each channel looks along its row and its column; then the channels of a cell meet.

    The depthwise kernels are long (as in Guo et al. 2022, whose kernels are strips too): a label at
    the left of a row says whose trace the row is, and the rows above and below say which layout.

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
    """Positions, a cross block, attention among all cells at half the resolution, a cross block.

    Args:
        grid: (rows, columns) of the map.
        depth: blocks of attention.

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
