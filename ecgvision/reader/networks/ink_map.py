"""Decoder for the trace mask and for the distance of each pixel to its 0 mV line."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.nn.image_encoders.readnet import conv_unit

RARE = -4.0
"""Initial logit of a trace; our default, about the share of a page's pixels that are trace."""


class _Join(nn.Module):
    """Merge an upsampled coarse map with a finer one, then convolve."""

    def __init__(self, coarse: int, fine: int, width: int) -> None:
        super().__init__()
        self.coarse, self.fine = nn.Conv2d(coarse, width, 1), nn.Conv2d(fine, width, 1)
        self.both = conv_unit(width, width, 3)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        coarse = F.interpolate(self.coarse(coarse), size=fine.shape[2:], mode="bilinear")
        return self.both(F.relu(self.fine(fine) + coarse))


class InkMap(nn.Module):
    """U-Net decoder (Ronneberger et al. 2015) at half resolution with sub-pixel output.

    Each cell of the finest map predicts four pixels (Shi et al. 2016), at a quarter of the cost.

    Args:
        channels: channels of the maps of a `PageMap`.

    Shape:
        image: (B, 3, H, W) uint8; maps: those of the page; result: (B, 1, H, W), the logit that a
        trace was drawn at the pixel, and (B, 1, H / 2, W / 2), how far below the cell the 0 mV line
        of its trace is, as a fraction of the image's height.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        four, eight, sixteen = channels
        self.print = conv_unit(12, 16, 3)
        self.eight = _Join(sixteen, eight, 48)
        self.four = _Join(48, four, 24)
        self.two = _Join(24, 16, 16)
        self.answer = nn.Conv2d(16, 5, 3, padding=1)
        with torch.no_grad():
            assert self.answer.bias is not None
            self.answer.bias[:4] = RARE

    def forward(self, image: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        x = F.pixel_unshuffle(image.float() / 255 - 0.5, 2)
        x = self.print(x.contiguous(memory_format=torch.channels_last))
        fine = self.two(self.four(self.eight(maps[2], maps[1]), maps[0]), x)
        answer = self.answer(fine).float()
        return F.pixel_shuffle(answer[:, :4], 2), answer[:, 4:] / 10
