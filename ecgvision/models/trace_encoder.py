"""An image encoder that knows what a trace is: ink, measured column by column.

A general network must find out from labels that a page is a graph, that ink is dark and that the
height of the ink in a column is what counts; a few thousand labelled pages are too few for that.
Here the measuring is fixed and differentiable, and only what the measures mean is learned. Our own
design; the measures are plain moments.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BANDS = 24
"""Overlapping bands over the height; on a letter page in landscape one is 9 mm from the next."""

REACH = 1.75
"""Half height of a band in steps between bands, so that a trace lies whole in two or three."""


def _conv(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1)
) -> list[nn.Module]:
    padding = (kernel[0] // 2, kernel[1] // 2)
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class _Block(nn.Module):
    """Two convolutions and a shortcut; the first may shrink."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv(inputs, outputs, (3, 5), stride),
            nn.ReLU(inplace=True),
            *_conv(outputs, outputs, (3, 3)),
        )
        self.shortcut = nn.Sequential(*_conv(inputs, outputs, (1, 1), stride))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class TraceMoments(nn.Module):
    """Where the ink is, for each band and pixel column.

    Ink is what is darker than the paper around it in the brightest colour channel, which coloured
    grids leave bright. Under a triangular window each band gives five measures: mass, centroid and
    spread of the ink, and its mass above and below the middle.

    Args:
        height: pixels of the page; the bands divide it.

    Shape:
        image: (B, 3, H, W) uint8; result: (B, 5, BANDS, W) float32.
    """

    windows: Tensor

    def __init__(self, height: int) -> None:
        super().__init__()
        self.step = max(1, height // BANDS)
        self.reach = int(self.step * REACH)
        offset = torch.arange(-self.reach, self.reach + 1).float()
        window = 1 - offset.abs() / (self.reach + 1)
        place = offset / self.step
        measures = (window, window * place, window * place**2, window * (place < 0),
                    window * (place > 0))  # fmt: skip
        self.register_buffer("windows", torch.stack(measures).view(5, 1, -1, 1))

    def forward(self, image: Tensor) -> Tensor:
        dark = 255 - image.amax(1, keepdim=True).float()
        paper = F.avg_pool2d(dark, 25, stride=8, padding=12, count_include_pad=False)
        paper = F.interpolate(paper, size=dark.shape[2:], mode="bilinear")
        ink = F.relu((dark - paper) / 48 - 0.1)
        sums = F.conv2d(ink, self.windows, stride=(self.step, 1), padding=(self.reach, 0))
        mass, first, second, above, below = sums[:, :, :BANDS].split(1, dim=1)
        centroid = first / (mass + 0.05)
        variance = second / (mass + 0.05) - centroid**2
        spread = (variance.clamp(min=0) + 1e-4).sqrt()
        return torch.cat([mass / 3, centroid, spread, above / 3, below / 3], dim=1)


class TraceEncoder(nn.Module):
    """Trace moments and a small convolutional network over bands and columns.

    Args:
        size: (height, width) of the pages; at least 24 px high.

    Shape:
        image: (B, 3, height, width) uint8; result: (B, channels, rows, columns) with
        `grid` = (rows, columns).
    """

    def __init__(
        self, size: Sequence[int], *, widths: tuple[int, int, int] = (32, 64, 128)
    ) -> None:
        super().__init__()
        self.size = (int(size[0]), int(size[1]))
        self.moments = TraceMoments(self.size[0])
        first, second, self.channels = widths
        self.layers = nn.Sequential(
            *_conv(5, first, (3, 7), (1, 2)),
            nn.ReLU(inplace=True),
            _Block(first, second, (1, 2)),
            _Block(second, self.channels, (2, 2)),
            _Block(self.channels, self.channels, (1, 2)),
        ).to(memory_format=torch.channels_last)
        with torch.no_grad():
            features = self.eval()(torch.zeros(1, 3, *self.size, dtype=torch.uint8))
        self.train()
        self.grid: tuple[int, int] = (features.shape[2], features.shape[3])

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):  # moments want all their digits
            moments = self.moments(image)
        return self.layers(moments.contiguous(memory_format=torch.channels_last))
