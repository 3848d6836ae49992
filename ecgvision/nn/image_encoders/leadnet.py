"""An image encoder that reads usual layouts: ink, measured along each lead's place on the page.

A page of a usual layout has its leads where the layout says, so what is to be learned is the same
for all layouts once each lead is looked up in its place. The layout is the one whose rows lie where
the page's ink does. Looking up and measuring are fixed; only what the measures mean is learned,
from pages of every layout together. Our own design.
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
"""That are told apart. On a page of another layout leads are looked up in wrong places."""

RHYTHM = "II"
SECONDS = 2.5
"""Of every lead the first so many seconds are read, and of `RHYTHM` as much three times more."""

WINDOWS = (*((lead, 0.0) for lead in LEADS), *((RHYTHM, k * SECONDS) for k in (1, 2, 3)))
"""Lead and first second of each stretch that is read."""

COLUMNS = 64
"""Samples of a stretch; our default, about the columns that 2.5 s have on a page of 256 pixels."""

BANDS = 3
BAND_MM = 9.0
REACH_MM = 15.0
"""Of bands around a lead's 0 mV: their number, the millimetres from one to the next, and their half
height. At 10 mm/mV they hold a wave of 2.4 mV to either side."""

ROW_MM = 4.0
"""Standard deviation of a row in the profile that a layout is known by; our default."""


class LeadStrips(nn.Module):
    """Where the ink is along each lead, in the layout that fits the page best.

    Under triangular windows each of `BANDS` bands around 0 mV gives five measures: mass, centroid
    and spread of the ink, and its mass above and below the band's middle. Nothing is learned.

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
        mm = scales[0] * pages[0].px_per_mm  # pixels of the network a millimetre
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
                        continue  # printed twice: the first counts, as in its own row
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
        """(B,) int64, which of `LAYOUTS` fits best the (B, 1, H, W) ink."""
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
    """Strips of the leads, waves in each, then a network along the time of all of them.

    Waves are seen by convolutions that all leads share. Then leads become channels, as they are to
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
        with torch.autocast(image.device.type, enabled=False):  # measures want all their digits
            strips = self.strips(image)
        waves = self.waves(strips.flatten(0, 1)).unflatten(0, strips.shape[:2])
        return self.blocks(self.fold(waves.flatten(1, 2))).unsqueeze(2)
