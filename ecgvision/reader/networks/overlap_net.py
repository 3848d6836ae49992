"""Resolves overlapping traces: decides which pixels of a strip belong to its lead."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CELL = (4, 2)
"""Height and width in pixels of one cell of the network. Our default: a trace is about as thick,
and a cell costs as much as its pixels would in a network of half the width."""

DILATIONS = (1, 2, 4, 1)
"""Vertical dilation of each layer; our default, so that a cell sees the full height of a lead's
row."""

DOUBT = -4.0
"""Initial logit of the waived share of the penalty: nearly 0 is waived."""

SHOWN = (8.0, 4.0)
"""Clamps of the ink logits and of the row offsets in the network's input; our defaults."""


class OverlapNet(nn.Module):
    """Convolutional network over a strip, heights by columns. Our own design.

    The ink map assigns a pixel to a single row. Where a tall stroke crosses the rows of other
    leads, its pixels are assigned to those rows and would not count for their own. The network sees
    the stroke above, below and beside the crossing, and restores these pixels.

    Args:
        width: channels.

    Shape:
        ink: (N, heights, columns), logits of a trace; off: (N, heights, columns), distance between
        the row assigned to a pixel and the row of the strip, in standard deviations (see `NEAR` of
        `TraceDecoder`). The number of heights is a multiple of `CELL`'s. Results, of the same
        shape: a term added to a pixel's vote, and the share of its row penalty that is waived.
    """

    def __init__(self, *, width: int = 16) -> None:
        super().__init__()
        high, wide = CELL
        self.first = nn.Conv2d(3, width, (high + 2, wide + 2), stride=CELL, padding=1)
        self.body = nn.ModuleList(
            nn.Conv2d(width, width, (5, 3), padding=(2 * step, 1), dilation=(step, 1))
            for step in DILATIONS
        )
        self.answer = nn.Conv2d(width, 2 * high * wide, 1)
        with torch.no_grad():
            assert self.answer.bias is not None
            self.answer.weight.zero_()
            self.answer.bias.copy_(torch.tensor([0.0, DOUBT]).repeat_interleave(high * wide))

    def forward(self, ink: Tensor, off: Tensor) -> tuple[Tensor, Tensor]:
        columns = ink.shape[-1]
        own = ink.sigmoid() * (-0.5 * off.square()).exp()
        most_ink, farthest = SHOWN
        x = torch.stack([2 * ink.clamp(-most_ink, most_ink) / most_ink,
                         2 * off.clamp(-farthest, farthest) / farthest, own], dim=1)  # fmt: skip
        x = F.relu(self.first(F.pad(x, (0, -columns % CELL[1], 0, 0), mode="replicate")))
        for layer in self.body:
            x = x + F.relu(layer(x))
        more, pardon = self.answer(x).chunk(2, dim=1)
        return _pixels(more)[..., :columns], _pixels(pardon)[..., :columns].sigmoid()


def _pixels(cells: Tensor) -> Tensor:
    """Rearrange (N, cell, heights / 4, columns / 2) to (N, heights, columns)."""
    parts = cells.unflatten(1, CELL).permute(0, 3, 1, 4, 2)
    return parts.flatten(3, 4).flatten(1, 2)
