"""What each cell of a page's map says: whose trace runs here, where its 0 mV is, and when."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ecgvision.core.ecg import LEADS
from ecgvision.reader.networks.name_pointer import NamePointer

INVERTED = len(LEADS)
"""The answer "-aVR", as Cabrera's order prints it."""

NOTHING = len(LEADS) + 1
"""The answer that no trace's 0 mV is near."""

RELATIVE_GAINS = (0.25, 0.5, 1.0, 2.0)
"""How high a millivolt may be printed against 10 mm/mV at 25 mm/s: at 5, 10 and 20 mm/mV, and at 50
mm/s half as much, as what is seen of a page without a grid is one against the other."""


class Cells(NamedTuple):
    """Answers of all cells, N = rows * columns of them; G = len(`RELATIVE_GAINS`).

    Attributes:
        logits: (B, 14, N): the leads, -aVR, nothing.
        x, y: (B, N), the nearest point of the trace's 0 mV line, as fractions of the image.
        time: (B, N), of that point, as a fraction of the window.
        gain: (B, G, N), logits of `RELATIVE_GAINS`.
        stretch: (B, N), log of how many times higher a millivolt is than that: a picture taken
            aslant shows it so.
    """

    logits: Tensor
    x: Tensor
    y: Tensor
    time: Tensor
    gain: Tensor
    stretch: Tensor


PARTS = [NOTHING + 1, 2, 1, 1, len(RELATIVE_GAINS)]
"""Numbers of a cell's answer: names, place, time, stretch, gain."""


DOUBT = 0.01
"""Probability of every other name where one is seen for sure; our default."""


def by_name(logits: Tensor, names: Tensor, trust: Tensor) -> Tensor:
    """Names of cells by the page and by print: which lead is the product of both, and whether there
    is any stays as it was.

    Args:
        logits: (B, 14, N); names: (B, 13, N) probabilities, of all none where nothing was printed.
        trust: in print, a power.
    """
    leads, nothing = logits.split([NOTHING, 1], dim=1)
    printed = trust * (names + DOUBT).log()
    both = (leads + printed).log_softmax(1) + leads.logsumexp(1, keepdim=True)
    return torch.cat([both, nothing], dim=1)


class DenseHead(nn.Module):
    """From a map to `Cells`. A new head points at the cells themselves, as if the window took the
    whole width.

    Shape:
        x: (B, width, rows, columns); names: (B, 13, 2 rows, 2 columns), of a `PrintNet`.
    """

    middle: Tensor

    def __init__(self, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        rows, columns = grid
        self.grid = grid
        self.answer = nn.Conv2d(width, sum(PARTS), 1)
        self.pointer = NamePointer(width)
        self.trust = nn.Parameter(torch.ones(()))
        y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
        self.register_buffer("middle", torch.stack([x.flatten(), y.flatten()]), persistent=False)

    def forward(self, x: Tensor, names: Tensor) -> Cells:
        printed = self.pointer(x, names).flatten(2)
        answer = self.answer(x).float().flatten(2)
        rows, columns = self.grid
        logits, offsets, time, stretch, gain = answer.split(PARTS, dim=1)
        place = self.middle + offsets
        x, y = place[:, 0] / columns, place[:, 1] / rows
        named = by_name(logits, printed, self.trust)
        return Cells(named, x, y, x.detach() + time[:, 0], gain, stretch[:, 0])
