"""leadnet: an image encoder for standard layouts that measures ink along each lead's strip.

A standard layout fixes where each lead is printed. The encoder picks the layout whose rows match
the page's ink best, then samples each lead at its position. The learned layers see the same input
for every layout, so pages of all layouts train them together. Sampling and measuring are fixed,
without learned parameters. Our own design.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.ecg import LEADS
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.network_input import placement
from ecgvision.nn.image_encoders.tracenet import Block, moment_windows, moments_of, page_ink

LAYOUTS = ("3x4", "3x4+II", "3x4+II+V1", "3x4+V1+II+V5", "6x2", "6x2+II", "12x1")
"""Layouts that are recognised. On a page of another layout, leads are sampled at wrong places."""

RHYTHM = "II"
SECONDS = 2.5
"""Seconds read of every lead, from its start; `RHYTHM` adds three more stretches this long."""

WINDOWS = (*((lead, 0.0) for lead in LEADS), *((RHYTHM, k * SECONDS) for k in (1, 2, 3)))
"""Lead of each stretch that is read; for the added rhythm stretches also their first second."""

COLUMNS = 64
"""Samples per stretch; our default, about the columns of 2.5 s on a page of 256 pixels."""

BANDS = 3
BAND_MM = 9.0
REACH_MM = 15.0
"""Bands around a lead's baseline: their number, the millimetres between two, and their half height.

At 10 mm/mV they cover waves of up to 2.4 mV in either direction."""

ROW_MM = 4.0
"""Standard deviation, mm, of a row in the vertical profile of a layout; our default."""


class LeadStrips(nn.Module):
    """Measures the ink along each lead, in the layout that fits the page best.

    Each of `BANDS` bands around 0 mV has a triangular window and gives five measures: mass,
    centroid and spread of the ink, and its mass above and below the band's middle. Has no learned
    parameters.

    Args:
        size: (height, width) of the pages.

    Shape:
        image: (B, 3, height, width) uint8; result: (B, len(WINDOWS), 5 * BANDS, COLUMNS), 0 where
        the layout prints nothing.
    """

    grids: Tensor
    profiles: Tensor
    windows: Tensor

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        height, width = int(size[0]), int(size[1])
        pages = [Page(get_layout(name)) for name in LAYOUTS]
        places = [placement(page.size, (height, width)) for page in pages]
        scales = [place.height / page.size[0] for place, page in zip(places, pages, strict=True)]
        mm = scales[0] * pages[0].px_per_mm  # network pixels per millimetre
        self.step, self.reach = max(1, round(BAND_MM * mm)), max(1, round(REACH_MM * mm))
        rows = 2 * self.reach + 1 + (BANDS - 1) * self.step
        grids = np.full((len(LAYOUTS), len(WINDOWS), rows, COLUMNS, 2), 9.0)  # 9: off the page
        profiles = np.zeros((len(LAYOUTS), height))
        for i, (page, place, scale) in enumerate(zip(pages, places, scales, strict=True)):
            for cell in page.cells:
                _, zero = page.to_pixel(cell, cell.start, 0.0)
                y = float(zero) * scale + place.top
                profiles[i] = np.maximum(
                    profiles[i], np.exp(-((np.arange(height) - y) ** 2) / (2 * (ROW_MM * mm) ** 2))
                )
                for j, (lead, start) in enumerate(WINDOWS):
                    first = cell.start if j < len(LEADS) else start
                    if cell.lead != lead or not cell.start <= first < cell.stop - 1e-6:
                        continue
                    if j < len(LEADS) and grids[i, j, 0, 0, 0] != 9.0:
                        continue  # printed twice: the first cell counts
                    seconds = first + (np.arange(COLUMNS) + 0.5) / COLUMNS * SECONDS
                    x, _ = page.to_pixel(cell, seconds, 0.0)
                    across = (np.asarray(x) * scale + place.left + 0.5) / width * 2 - 1
                    down = (y + np.arange(rows) - rows // 2 + 0.5) / height * 2 - 1
                    grids[i, j, ..., 0], grids[i, j, ..., 1] = across[None], down[:, None]
        profiles -= profiles.mean(1, keepdims=True)
        profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
        for name, value in (
            ("grids", torch.tensor(grids, dtype=torch.float32)),
            ("profiles", torch.tensor(profiles, dtype=torch.float32)),
            ("windows", moment_windows(self.reach, self.step)),
        ):
            self.register_buffer(name, value, persistent=False)

    def layout(self, ink: Tensor) -> Tensor:
        """Return the index in `LAYOUTS` that fits the (B, 1, H, W) ink best, (B,) int64."""
        return (ink.clamp(max=1).mean((1, 3)) @ self.profiles.T).argmax(1)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        ink = page_ink(image)
        grid = self.grids[self.layout(ink)]
        strips = F.grid_sample(ink, grid.flatten(1, 2), mode="bilinear", align_corners=False)
        strips = strips.unflatten(2, grid.shape[1:3])[:, 0].flatten(0, 1).unsqueeze(1)
        sums = F.conv2d(strips, self.windows, stride=(self.step, 1))
        return moments_of(sums).flatten(1, 2).unflatten(0, grid.shape[:2])


class LeadEncoder(nn.Module):
    """`leadnet`: lead strips, shared convolutions, then residual blocks along time.

    All stretches share the first convolutions. Then they are stacked as channels, as leads are in
    a signal encoder, and residual blocks run along time.

    Args:
        size: (height, width) of the pages, at least 32 px each.
        width: channels of the result.

    Shape:
        image: (B, 3, height, width) uint8; result: (B, channels, 1, columns) with
        `grid` = (1, columns).
    """

    def __init__(self, size: Sequence[int], *, width: int = 128) -> None:
        super().__init__()
        self.strips = LeadStrips(size)
        self.channels = width
        waves = 32
        self.waves = nn.Sequential(
            nn.Conv1d(5 * BANDS, waves, 7, padding=3, bias=False),
            nn.BatchNorm1d(waves),
            nn.ReLU(inplace=True),
            nn.Conv1d(waves, waves, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm1d(waves),
            nn.ReLU(inplace=True),
        )
        self.fold = nn.Sequential(
            nn.Conv1d(waves * len(WINDOWS), width, 1, bias=False), nn.BatchNorm1d(width), nn.ReLU()
        )
        self.blocks = nn.Sequential(Block(width, 5), Block(width, 5, 2), Block(width, 3))
        self.grid: tuple[int, int] = (1, COLUMNS // 4)

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):  # measures need full precision
            strips = self.strips(image)
        waves = self.waves(strips.flatten(0, 1)).unflatten(0, strips.shape[:2])
        return self.blocks(self.fold(waves.flatten(1, 2))).unsqueeze(2)
