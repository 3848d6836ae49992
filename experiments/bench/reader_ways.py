"""Simpler trace decoders, baselines of `bench reader`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgvision.reader.networks.trace_decoder import MARGIN, REACH, STEPS, TraceDecoder, look

SAME_ROW = 0.02
"""Leads whose rows are at most this far apart, as a fraction of the page's height, share one row.
Our default."""


class Dense(nn.Module):
    """Trace height as the mean height of each column's ink; same interface as `TraceDecoder`.

    Args:
        head: a reader's decoder, whose votes assign pixels to rows; None assigns each pixel to
            the nearest row.
        crossed: let a pixel count for several rows where traces cross.
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
    """Return half of the distance to the next row above and below, each (B, leads, columns)."""
    gap = y[:, :, None] - y[:, None]  # for each pair of leads, positive if the second is higher
    above = torch.where(gap > SAME_ROW, gap, 2 * REACH).amin(2) / 2
    below = torch.where(gap < -SAME_ROW, -gap, 2 * REACH).amin(2) / 2
    return above, below
