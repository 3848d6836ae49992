"""tracenet: an image encoder with trace measurement built in, column by column.

A general network must learn from labels that a page is a graph, that ink is dark and that the
height of the ink in a column matters. A few thousand labelled pages are too few for that. Here the
measurement is fixed and differentiable; only its interpretation is learned. Our own design; the
measures are plain moments.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BANDS = 24
"""Overlapping bands over the height; on a landscape letter page they are 9 mm apart."""

STRIPS = 8
"""Parts of the width with their own weights; half a lead where four leads share a row."""

REACH = 1.75
"""Half height of a band in band steps, so that a trace is fully within two or three bands."""


def page_ink(image: Tensor) -> Tensor:
    """Return how much darker each pixel is than the paper around it.

    Measured in the brightest colour channel, in which coloured grids stay bright.

    Shape:
        image: (B, 3, H, W) uint8; result: (B, 1, H, W) float32 from 0.
    """
    dark = 255 - image.amax(1, keepdim=True).float()
    paper = F.avg_pool2d(dark, 25, stride=8, padding=12, count_include_pad=False)
    paper = F.interpolate(paper, size=dark.shape[2:], mode="bilinear")
    return F.relu((dark - paper) / 48 - 0.1)


def moment_windows(reach: int, step: int) -> Tensor:
    """Return the convolution kernels for the moment sums of a band, (5, 1, 2 * reach + 1, 1).

    Args:
        reach: half height of the triangular window, pixels.
        step: pixels between two bands; the unit of the centroid.
    """
    offset = torch.arange(-reach, reach + 1).float()
    window = 1 - offset.abs() / (reach + 1)
    place = offset / step
    measures = (window, window * place, window * place**2, window * (place < 0),
                window * (place > 0))  # fmt: skip
    return torch.stack(measures).view(5, 1, -1, 1)


def moments_of(sums: Tensor) -> Tensor:
    """Return mass, centroid and spread of the ink, and its mass above and below the middle.

    Shape:
        sums: (B, 5, bands, W), from `moment_windows`; result: the same.
    """
    mass, first, second, above, below = sums.split(1, dim=1)
    centroid = first / (mass + 0.05)
    variance = second / (mass + 0.05) - centroid**2
    spread = (variance.clamp(min=0) + 1e-4).sqrt()
    return torch.cat([mass / 3, centroid, spread, above / 3, below / 3], dim=1)


class TraceMoments(nn.Module):
    """Measures the ink (`page_ink`) in each band and pixel column.

    Each band has a triangular window and gives five measures: mass, centroid and spread of the
    ink, and its mass above and below the middle.

    Args:
        height: pixels of the page, which is divided into `BANDS` bands.

    Shape:
        image: (B, 3, H, W) uint8; result: (B, 5, BANDS, W) float32.
    """

    windows: Tensor

    def __init__(self, height: int) -> None:
        super().__init__()
        self.step = max(1, height // BANDS)
        self.reach = int(self.step * REACH)
        self.register_buffer("windows", moment_windows(self.reach, self.step))

    def forward(self, image: Tensor) -> Tensor:
        sums = F.conv2d(
            page_ink(image), self.windows, stride=(self.step, 1), padding=(self.reach, 0)
        )
        return moments_of(sums[:, :, :BANDS])


def _unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv1d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm1d(outputs)]


class Block(nn.Module):
    """Residual block of two convolutions along the columns; the first may have a stride."""

    def __init__(self, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_unit(width, width, kernel, stride),
            nn.ReLU(inplace=True),
            *_unit(width, width, kernel),
        )
        self.shortcut = (
            nn.Identity() if stride == 1 else nn.Sequential(*_unit(width, width, 1, stride))
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class Places(nn.Module):
    """Learned scale and shift of every channel for each of `STRIPS` parts of the width.

    The same wave has different meanings in aVR and V1, and on a page the position tells them
    apart. An added position embedding would leave this to later layers. A product selects features
    by position at once, so that the mean over the page keeps the lead and drops the time of a beat.

    Shape:
        x: (B, width, columns); result: the same.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(1 + 0.5 * torch.randn(width, STRIPS))
        self.shift = nn.Parameter(0.5 * torch.randn(width, STRIPS))

    def forward(self, x: Tensor) -> Tensor:
        columns = x.shape[-1]
        # Computed here instead of kept in a buffer, so that loading weights cannot change it.
        strip = torch.arange(columns, device=x.device) * STRIPS // columns
        return x * self.gain[:, strip] + self.shift[:, strip]


class TraceEncoder(nn.Module):
    """`tracenet`: trace moments, shared convolutions, then residual blocks along the columns.

    All bands share the first convolutions, which also see neighbouring bands. Then the bands are
    stacked as channels, as leads are in a signal encoder. `Places` scales them by position, and
    residual blocks run along the columns.

    Args:
        size: (height, width) of the pages, at least 32 px each.
        width: channels of the result.

    Shape:
        image: (B, 3, height, width) uint8; result: (B, channels, rows, columns) with
        `grid` = (rows, columns); there is one row.
    """

    def __init__(self, size: Sequence[int], *, width: int = 128) -> None:
        super().__init__()
        self.moments = TraceMoments(int(size[0]))
        self.channels = width
        self.waves = nn.Sequential(
            nn.Conv2d(5, 16, (3, 7), (1, 2), (1, 3), bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 32, (3, 5), (2, 2), (1, 2), bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
        ).to(memory_format=torch.channels_last)
        columns = (int(size[1]) + 3) // 4
        self.fold = nn.Sequential(*_unit(32 * BANDS // 2, width, 1))
        self.places = Places(width)
        self.blocks = nn.Sequential(Block(width, 5), Block(width, 5, 2), Block(width, 3))
        self.grid: tuple[int, int] = (1, (columns + 1) // 2)

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):  # moments need full precision
            moments = self.moments(image)
        waves = self.waves(moments.contiguous(memory_format=torch.channels_last))
        rows = self.fold(waves.flatten(1, 2))
        return self.blocks(F.relu(self.places(rows))).unsqueeze(2)
