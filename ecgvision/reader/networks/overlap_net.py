"""Which ink of a strip is its row's where traces cross, told by all that stands around it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CELL = (4, 2)
"""Heights and columns that one cell of the network answers for; our default: a trace is about as
thick, and every cell costs as much as all that it holds would for a network half as wide."""

DILATIONS = (1, 2, 4, 1)
"""Of its layers, along the heights; our default, so that a cell sees a whole lead's row."""

DOUBT = -4.0
"""Logit of a pardon where learning starts: none, nearly."""

SHOWN = (8.0, 4.0)
"""Within which ink and rows are shown to the network; our defaults."""


class OverlapNet(nn.Module):
    """A network over a strip, heights by columns.

    A pixel is given one row. Where a tall stroke runs over the rows of other leads, it is given
    theirs, and by itself would not count for its own. What is seen of the stroke above and below,
    and beside it, tells that it does. Our own design.

    Args:
        width: channels.

    Shape:
        ink: (N, heights, columns) logits of a trace; off: (N, heights, columns), how far the row
        that a pixel is given lies from the strip's, in units of what is held to be near. Heights
        are multiples of `CELL`'s. Results, of the same shape: what a vote has more, and the share
        of its penalty for the row that is forgiven.
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
    """(N, heights, columns) of (N, cell, heights / 4, columns / 2)."""
    parts = cells.unflatten(1, CELL).permute(0, 3, 1, 4, 2)
    return parts.flatten(3, 4).flatten(1, 2)
