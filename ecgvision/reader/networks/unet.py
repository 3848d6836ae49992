"""A small fully convolutional network with skip connections, for pages and strips of any size.

After U-Net (Ronneberger, Fischer and Brox 2015), with residual blocks on the way down and sums in
place of concatenations.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F


def plain(channels: int) -> nn.Sequential:
    """Return a 3 x 3 convolution with normalisation and ReLU."""
    return nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
                         nn.BatchNorm2d(channels), nn.ReLU(inplace=True))  # fmt: skip


def halving(channels_in: int, channels: int) -> nn.Sequential:
    """Return a 4 x 4 convolution of stride 2 with normalisation and ReLU."""
    return nn.Sequential(nn.Conv2d(channels_in, channels, 4, 2, 1, bias=False),
                         nn.BatchNorm2d(channels), nn.ReLU(inplace=True))  # fmt: skip


class Down(nn.Module):
    """A residual block (He et al. 2016) that halves height and width."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels_in, channels, 3, 2, 1, bias=False),
                                   nn.BatchNorm2d(channels), nn.ReLU(inplace=True))  # fmt: skip
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
                                    nn.BatchNorm2d(channels))  # fmt: skip
        self.skip = nn.Sequential(nn.Conv2d(channels_in, channels, 1, 2, bias=False),
                                  nn.BatchNorm2d(channels))  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.skip(x), inplace=True)


class UNet(nn.Module):
    """See the module.

    Args:
        stem: first layers, from the image to `widths[0]` channels.
        widths: channels of the levels; each level has half the height and width of the one before.

    Shape:
        input: (B, 3, H, W), H and W multiples of the stem's stride times 2 ** (levels - 1);
        result: (B, widths[0], H / stride, W / stride).
    """

    def __init__(self, stem: nn.Module, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = stem
        self.down = nn.ModuleList(Down(a, b) for a, b in pairwise(widths))
        self.across = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(plain(a) for a in widths[:-1])

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.stem(x)]
        for level in self.down:
            maps.append(level(maps[-1]))
        x = maps.pop()
        for across, up in zip(reversed(self.across), reversed(self.up), strict=True):
            wide = F.interpolate(across(x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = up(maps.pop() + wide)
        return x
