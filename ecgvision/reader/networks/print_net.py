"""What is printed beside the traces, known where it stands: names of leads, calibration pulses."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ecgvision.nn.image_encoders.readnet import conv_unit
from ecgvision.reader.data.marks import NAMES, NO_MARK, PULSES

PRIOR = 4.0
"""Log of how many times likelier a cell stands by no mark than learning with as many of either
makes it, where learning starts; our default: e^4, one cell in some 55 stands by one."""


def carried(shares: Tensor) -> Tensor:
    """What was last printed to the left of each cell, on its row, and how far away.

    A name is printed where its lead begins and holds until the next on its row of cells. Where a
    paper prints names at other heights, or a page is taken aslant, one may go on above or below
    the next: which of them is a cell's own is for a `NamePointer` to say. Our own design.

    Args:
        shares: (B, K, rows, columns), the probabilities that each of K names stands in a cell.

    Returns:
        (B, K + 1, rows, columns): the probabilities that each was the last, and how far away it is,
        0 where there was none, as a share of the page's width.
    """
    columns = shares.shape[-1]
    here = shares.sum(1)
    held = (1 - here).clamp(min=1e-4).log().cumsum(-1)  # (B, rows, columns)
    index = torch.arange(columns, device=shares.device)
    away = index[:, None] - index  # from where, to the right
    kept = held[..., :, None] - held[..., None, :]
    kept = torch.where(away >= 0, kept, -torch.inf).exp()
    last = torch.einsum("brxt,bkrt->bkrx", kept, shares)
    far = torch.einsum("brxt,brt->brx", kept * away / columns, here)
    return torch.cat([last, far[:, None]], dim=1)


class Printed(NamedTuple):
    """What stands beside the traces.

    Attributes:
        marks: (B, NO_MARK + 1, H / 8, W / 8), the logits of the marks a cell may stand by.
        names: (B, 13, H / 8, W / 8), which name was last on a cell's row; see `carried`.
        beside: (B, width, H / 16, W / 16), all that for a `PageContext`.
    """

    marks: Tensor
    names: Tensor
    beside: Tensor


class PrintNet(nn.Module):
    """Small letters want fine features: convolutions from half the page's resolution to cells of 8
    pixels, each of which sees 55 of them: of a letter page at 576x768, 20 mm, as wide as a name and
    from the foot of a pulse up to its 10 mm. Our own design.

    What it finds is laid before a `PageContext`: the features, which names were printed last along
    a row, and which pulses stand anywhere. A new one says nothing there.

    Args:
        width: channels of what is laid there.

    Shape:
        image: (B, 3, H, W) uint8; result: `Printed`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_unit(3, 16, 3, 2), conv_unit(16, 24, 3, 2), conv_unit(24, 24, 3),
            conv_unit(24, 48, 3, 2), conv_unit(48, 48, 3), conv_unit(48, 48, 3),
        )  # fmt: skip
        self.answer = nn.Conv2d(48, NO_MARK + 1, 1)
        self.prior = nn.Parameter(torch.tensor(PRIOR))
        self.join = nn.Conv2d(48 + NO_MARK + 1, width, 2, stride=2)
        nn.init.zeros_(self.join.weight)
        assert self.join.bias is not None
        nn.init.zeros_(self.join.bias)

    def forward(self, image: Tensor) -> Printed:
        x = (image.float() / 255 - 0.5).contiguous(memory_format=torch.channels_last)
        seen = self.body(x)
        marks = self.answer(seen).float()
        likelier = torch.cat([marks[:, :NO_MARK] - self.prior, marks[:, NO_MARK:]], dim=1)
        names, pulses, _ = likelier.softmax(1).split([len(NAMES), len(PULSES), 1], dim=1)
        told = pulses.amax((2, 3), keepdim=True).expand_as(pulses)
        last = carried(names)
        beside = self.join(torch.cat([seen, last, told], dim=1))
        return Printed(marks, last[:, : len(NAMES)], beside)
