"""Pointer from each cell to the printed name of its lead."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ABOVE, BELOW = 16, 8
"""Vertical range of the pointer, in half cells of 8 pixels from a cell's middle: on a letter page
at 576x768, 47 mm above and 23 mm below. Names are mostly above their traces, and on a page taken at
an angle carried names shift vertically relative to their traces."""


class NamePointer(nn.Module):
    """Select the name of each cell's lead among the names carried along rows above and below it.

    Every lead's name is printed on the page. Attention over vertical offsets (after the pointers of
    Vinyals et al. 2015) works for names in any order. Our own design.

    Shape:
        x: (B, width, rows, columns); names: (B, K, 2 rows, 2 columns), probabilities; result: (B,
        K, rows, columns).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.where = nn.Conv2d(width, ABOVE + BELOW, 1)

    def forward(self, x: Tensor, names: Tensor) -> Tensor:
        share = self.where(x).float().softmax(1)
        rows = F.pad(F.avg_pool2d(names, (1, 2)), (0, 0, ABOVE, BELOW))
        near = rows[:, :, 1:-1].unfold(2, ABOVE + BELOW, 2)  # (B, K, rows, columns, offsets)
        return torch.einsum("bkrco,borc->bkrc", near, share)
