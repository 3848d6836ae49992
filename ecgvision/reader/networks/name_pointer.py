"""Which of the names that are printed on a page is a cell's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ABOVE, BELOW = 16, 8
"""Of a cell's middle, in half cells of 8 pixels: where its lead's name may have been carried to,
of a letter page at 576x768 47 mm above and 23 below. Names stand mostly above their traces, and a
page taken aslant moves what is carried along it."""


class NamePointer(nn.Module):
    """For each cell, how far above or below it its lead's name was carried to, and so which it is.

    Whose trace a cell stands by is printed on the page. A pointer to where (after Vinyals et al.
    2015) takes names in whichever order they come. Our own design.

    Shape:
        x: (B, width, rows, columns); names: (B, K, 2 rows, 2 columns), probabilities;
        result: (B, K, rows, columns).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.where = nn.Conv2d(width, ABOVE + BELOW, 1)

    def forward(self, x: Tensor, names: Tensor) -> Tensor:
        share = self.where(x).float().softmax(1)
        rows = F.pad(F.avg_pool2d(names, (1, 2)), (0, 0, ABOVE, BELOW))
        near = rows[:, :, 1:-1].unfold(2, ABOVE + BELOW, 2)  # (B, K, rows, columns, offsets)
        return torch.einsum("bkrco,borc->bkrc", near, share)
