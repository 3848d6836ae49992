"""The simpler ways to read a column that `bench reader` compares a reader's own with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgvision.reader.networks.trace_decoder import MARGIN, REACH, STEPS, TraceDecoder, look

SAME_ROW = 0.02
"""Of the page's height: rows that are no further apart are one, of several leads; our default."""


class Dense(nn.Module):
    """Heights of a column's ink in the mean, as `TraceDecoder` answers.

    Args:
        head: a reader's own, whose votes are asked; None counts each pixel to the nearest row.
        crossed: whether a pixel may count for more rows than the one that it is given.
    """

    def __init__(self, head: TraceDecoder | None = None, *, crossed: bool = False) -> None:
        super().__init__()
        self.head = head
        self.crossed = crossed
        self.heights = torch.linspace(REACH, -REACH, STEPS)

    def forward(
        self, ink: Tensor, offset: Tensor, points: Tensor, up: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        up = points.new_tensor([0.0, -1.0]).expand_as(points) if up is None else up
        heights = self.heights[:, None]
        if self.head is not None:
            votes = self.head.votes(ink.float(), offset.float(), points, up, crossed=self.crossed)
            votes = votes.softmax(1).unflatten(0, points.shape[:2])
        else:
            (seen,) = look(self.heights, (ink.float(),), points, up)
            above, below = _room(points[..., 1])
            near = (heights < above[:, :, None]) & (heights > -below[:, :, None])
            votes = seen.sigmoid() * near
            votes = votes / votes.sum(2, keepdim=True).clamp(min=1e-6)
        height = (votes * heights).sum(2)[..., MARGIN:-MARGIN]
        return height, torch.full_like(height, -5.0)


def _room(y: Tensor) -> tuple[Tensor, Tensor]:
    """(B, leads, columns): half of the way to the next row above, and below."""
    gap = y[:, :, None] - y[:, None]  # of each lead to each other, positive where that is higher
    above = torch.where(gap > SAME_ROW, gap, 2 * REACH).amin(2) / 2
    below = torch.where(gap < -SAME_ROW, -gap, 2 * REACH).amin(2) / 2
    return above, below
