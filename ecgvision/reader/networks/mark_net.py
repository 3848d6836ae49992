"""The network that sees rows, names and pulses on a flat page."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecgvision.reader.layout.maps import MARKS
from ecgvision.reader.networks.unet import UNet, halving, plain


class MarkNet(nn.Module):
    """Maps of a flat page at 4 pixels a millimetre, a cell for every millimetre.

    Args:
        widths: channels of the levels; our default.

    Shape:
        image: (B, 3, H, W) uint8, H and W multiples of 128. Result: the logits of `MARKS` and of
        none of them, (B, len(MARKS) + 1, H / 4, W / 4); and (B, 4, H / 4, W / 4) with the logit of
        a row, the offset of its line in cells, and the logits of a start and of an end.
    """

    def __init__(self, widths: Sequence[int] = (24, 36, 48, 64, 96, 96)) -> None:
        super().__init__()
        stem = nn.Sequential(halving(3, 16), halving(16, widths[0]), plain(widths[0]))
        self.body = UNet(stem, widths)
        self.head = nn.Sequential(nn.Conv2d(widths[0], 40, 3, 1, 1), nn.ReLU(inplace=True),
                                  nn.Conv2d(40, len(MARKS) + 5, 1))  # fmt: skip

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        found = self.head(self.body(image.float() / 127.5 - 1))
        return found[:, : len(MARKS) + 1], found[:, len(MARKS) + 1 :]


class DeployedMarkNet(nn.Module):
    """A `MarkNet` with probabilities in place of logits, as it is exported.

    Shape:
        image: as `MarkNet`, one page. Result: the fields of `PageMaps`.
    """

    def __init__(self, network: MarkNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        marks, other = self.network(image)
        seen = torch.sigmoid(other[:, [0, 2, 3]])
        return marks.softmax(1)[:, :-1], seen[:, 0], other[:, 1], seen[:, 1], seen[:, 2]
