"""Detector of printed marks: lead names and calibration pulses."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ecgvision.nn.image_encoders.readnet import conv_unit
from ecgvision.reader.data.marks import NAMES, NO_MARK, PULSES

PRIOR = 4.0
"""Initial log prior odds of background, correcting for class-balanced training. Our default: e^4,
one cell in some 55 is near a mark."""


def carried(shares: Tensor) -> Tensor:
    """Carry printed names to the right along each row of cells.

    A name is printed where its lead begins, and holds until the next name on its row of cells.
    Where a paper prints names at other heights, or a page is taken at an angle, a carried name may
    pass above or below the next one. A `NamePointer` selects which of them is a cell's own. Our own
    design.

    Args:
        shares: (B, K, rows, columns), the probabilities that each of K names is in a cell.

    Returns:
        (B, K + 1, rows, columns): the probability of each name to be the last one at or left of the
        cell, and the distance to it as a share of the page's width, 0 if there is none.
    """
    columns = shares.shape[-1]
    here = shares.sum(1)
    held = (1 - here).clamp(min=1e-4).log().cumsum(-1)  # (B, rows, columns)
    index = torch.arange(columns, device=shares.device)
    away = index[:, None] - index  # distance to the right
    kept = held[..., :, None] - held[..., None, :]
    kept = torch.where(away >= 0, kept, -torch.inf).exp()
    last = torch.einsum("brxt,bkrt->bkrx", kept, shares)
    far = torch.einsum("brxt,brt->brx", kept * away / columns, here)
    return torch.cat([last, far[:, None]], dim=1)


class Printed(NamedTuple):
    """Printed marks of a page.

    Attributes:
        marks: (B, NO_MARK + 1, H / 8, W / 8), logits of the mark near each cell.
        names: (B, 13, H / 8, W / 8), probabilities of the last name on a cell's row; see `carried`.
        beside: (B, width, H / 16, W / 16), features of all marks for a `PageContext`.
    """

    marks: Tensor
    names: Tensor
    beside: Tensor


class PrintNet(nn.Module):
    """Small convolutional network that finds lead names and calibration pulses. Our own design.

    Small letters need fine features, so the convolutions begin at half the page's resolution and
    end in cells of 8 pixels. The receptive field is 55 pixels: 20 mm of a letter page at 576x768,
    the width of a name, or a pulse from its foot to its height of 10 mm.

    A `PageContext` receives the features, the last name on each row, and the pulses found anywhere
    on the page. A new network adds 0 to it.

    Args:
        width: channels of the features for the `PageContext`.

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
