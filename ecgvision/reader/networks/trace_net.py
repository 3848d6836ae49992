"""The network that follows the trace of one row in a strip of a flat page."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.reader.networks.unet import UNet, halving, plain


class TraceNet(nn.Module):
    """Heights of a row's trace in every column of a strip; see `trace.strips`.

    The row's 0 mV line is near the middle of the strip, which tells its trace from those of other
    rows that cross the strip.

    Args:
        widths: channels of the levels; our default.

    Shape:
        image: (B, 3, H, W) uint8, H and W multiples of 64. Result: the unnormalised log-density of
        the trace's height over the rows of pixels (B, H, W), and the logit of a column's being
        printed (B, W).
    """

    def __init__(self, widths: Sequence[int] = (12, 20, 32, 48, 64, 64)) -> None:
        super().__init__()
        width = widths[0]
        self.body = UNet(nn.Sequential(halving(3, width), plain(width)), widths)
        self.head = nn.Sequential(nn.Conv2d(width + 1, width, 3, 1, 1), nn.ReLU(inplace=True),
                                  nn.Conv2d(width, 4, 1))  # fmt: skip
        self.printed = nn.Conv1d(2 * width, 1, 9, padding=4)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.body(image.float() / 127.5 - 1)
        pages, _, height, width = maps.shape
        down = torch.linspace(-1, 1, height, device=maps.device).view(1, 1, height, 1)
        density = self.head(torch.cat([maps, down.expand(pages, 1, height, width)], 1))
        columns = self.printed(torch.cat([maps.mean(2), maps.amax(2)], 1))
        printed = F.interpolate(columns, scale_factor=2.0, mode="linear", align_corners=False)
        return F.pixel_shuffle(density, 2)[:, 0], printed[:, 0]
