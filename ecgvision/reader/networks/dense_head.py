"""Dense head: the nearest trace, its 0 mV point and its time for each cell of a page's map."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ecgvision.core.ecg import LEADS
from ecgvision.reader.networks.name_pointer import NamePointer

INVERTED = len(LEADS)
"""Class index of "-aVR", as printed in Cabrera's order."""

BACKGROUND = len(LEADS) + 1
"""Class index of background: no 0 mV line of a trace is near."""

RELATIVE_GAINS = (0.25, 0.5, 1.0, 2.0)
"""Classes of printed gain relative to 10 mm/mV at 25 mm/s. They cover 5, 10 and 20 mm/mV at 25
mm/s, and half of that at 50 mm/s: on a page without a grid, only the ratio of height to width is
visible."""


class Cells(NamedTuple):
    """Predictions of all N = rows * columns cells; G = len(`RELATIVE_GAINS`).

    Attributes:
        logits: (B, 14, N): the leads, -aVR, background.
        x, y: (B, N), the nearest point of the trace's 0 mV line, as fractions of the image.
        time: (B, N), time of that point, as a fraction of the window.
        gain: (B, G, N), logits of `RELATIVE_GAINS`.
        stretch: (B, N), log of the printed height of 1 mV over its height by `gain`; an image taken
            at an angle changes it.
    """

    logits: Tensor
    x: Tensor
    y: Tensor
    time: Tensor
    gain: Tensor
    stretch: Tensor


PARTS = [BACKGROUND + 1, 2, 1, 1, len(RELATIVE_GAINS)]
"""Output channels of a cell: names, place, time, stretch, gain."""


DOUBT = 0.01
"""Probability added to every name, so that no name is ruled out where another is certain; our
default."""


def by_name(logits: Tensor, names: Tensor, trust: Tensor) -> Tensor:
    """Combine the names predicted by the cells with the names printed on the page.

    The probabilities of the leads become the product of both. The probability that there is any
    lead is unchanged.

    Args:
        logits: (B, 14, N), from the cells.
        names: (B, 13, N), probabilities of printed names; all 0 where nothing was printed.
        trust: exponent of the printed names.
    """
    leads, nothing = logits.split([BACKGROUND, 1], dim=1)
    printed = trust * (names + DOUBT).log()
    both = (leads + printed).log_softmax(1) + leads.logsumexp(1, keepdim=True)
    return torch.cat([both, nothing], dim=1)


class DenseHead(nn.Module):
    """Predict `Cells` from a feature map.

    Offsets are relative to a cell's own middle. A new head assumes that the window takes the full
    width.

    Shape:
        x: (B, width, rows, columns); names: (B, 13, 2 rows, 2 columns), from a `PrintNet`.
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
