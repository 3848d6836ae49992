"""From the map of ink to the height of the trace, column by column along a row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.reader.networks.overlap_net import OverlapNet

STEPS = 144
"""Heights at which a column is looked at: 0.4 mm of a letter page, a pixel of 576 a page."""

REACH = 0.139
"""How far above and below 0 mV a trace is followed, as a fraction of the page's height; our
default: 30 mm of a letter page, 3 mV at 10 mm/mV."""

MARGIN = 8
"""Columns read before and after what is asked, so that the first and the last sample have
neighbours; our default, half of what the last network sees."""

NEAR = 0.02
"""Where learning starts, how far (a standard deviation) a pixel's own 0 mV may seem to lie from the
row and still be the row's; our default, 4 mm of a letter page."""


def more_points(points: Tensor, margin: int = MARGIN) -> Tensor:
    """(B, L, T, 2) to (B, L, T + 2 margin, 2): both ends carried on by their own step."""
    count = torch.arange(1, margin + 1, device=points.device)[:, None]
    first, last = points[:, :, :1], points[:, :, -1:]
    before = first - count.flip(0) * (points[:, :, 1:2] - first)
    after = last + count * (last - points[:, :, -2:-1])
    return torch.cat([before, points, after], dim=2)


def look(heights: Tensor, maps: Sequence[Tensor], points: Tensor, up: Tensor) -> list[Tensor]:
    """What maps say at each of `heights` above each of `points`, (B, leads, heights, columns).

    Args:
        maps: (B, 1, h, w) each; beyond a map its edge goes on.
        points, up: see `TraceDecoder`.
    """
    column = heights[:, None, None] * up[:, :, None]
    spots = 2 * (points[:, :, None] + column).flatten(1, 2) - 1
    size = (points.shape[1], len(heights))
    return [
        F.grid_sample(v, spots, align_corners=False, padding_mode="border")[:, 0].unflatten(1, size)
        for v in maps
    ]


USUAL_MISS = 0.01
"""Laplace scale where learning starts, as a fraction of the page's height: 0.2 mV on a letter page;
our default."""


class TraceDecoder(nn.Module):
    """The trace's height in each column of a strip along a row.

    Each height of a column has a vote: how much of a trace the ink map sees there, less the more
    its own 0 mV lies off this row, unless `OverlapNet` tell that it is the row's all the same. The
    mean height of the votes is where the trace runs. A steep stroke fills a column from its foot to
    its peak, where the mean says little: from mean, spread and skew of the votes in neighbouring
    columns a small network restores what was sharp, and says how far off it may be.

    Shape:
        ink: (B, 1, H, W) logits, offset: (B, 1, H / 2, W / 2), both of an `InkMap`; points: (B,
        leads, T + 2 MARGIN, 2), where the 0 mV of each column lies; up: of the same shape, where a
        column runs to, for a page's height; None: upright. Result: (B, leads, T), height above 0 mV
        as a fraction of the page's, and (B, leads, T), log of a Laplace scale of the same.
    """

    heights: Tensor
    powers: Tensor

    def __init__(self, *, hidden: int = 32) -> None:
        super().__init__()
        self.register_buffer("heights", torch.linspace(REACH, -REACH, STEPS), persistent=False)
        tenths = 10 * self.heights
        self.register_buffer("powers", torch.stack([tenths, tenths**2, tenths**3]),
                             persistent=False)  # fmt: skip
        self.trust = nn.Parameter(torch.tensor(1.0))
        self.log_near = nn.Parameter(torch.tensor(NEAR).log())
        self.crossings = OverlapNet()
        self.sharpen = nn.Sequential(
            nn.Conv1d(4, hidden, 7, padding=3), nn.ReLU(),
            nn.Conv1d(hidden, hidden, 5, padding=2), nn.ReLU(),
            nn.Conv1d(hidden, 2, 5, padding=2),
        )  # fmt: skip
        with torch.no_grad():
            weight, bias = self.sharpen[4].parameters()
            weight.zero_()
            bias.copy_(torch.tensor([0.0, math.log(USUAL_MISS)]))

    def forward(
        self, ink: Tensor, offset: Tensor, points: Tensor, up: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        with torch.autocast(ink.device.type, enabled=False):  # heights want all their digits
            up = points.new_tensor([0.0, -1.0]).expand_as(points) if up is None else up
            return self._read(ink.float(), offset.float(), points, up)

    def votes(
        self, ink: Tensor, offset: Tensor, points: Tensor, up: Tensor, *, crossed: bool = True
    ) -> Tensor:
        """(B * leads, STEPS, columns), logits of the heights of every column; not `crossed`: with
        every pixel counted to the one row that it is given."""
        maps = look(self.heights, (ink, offset), points, up)
        read, own = (seen.flatten(0, 1) for seen in maps)
        # 0 where the pixel's 0 mV is the row's
        off = (own - self.heights[:, None]) * (-self.log_near).exp()
        more, pardon = self.crossings(read, off) if crossed else (0.0, 0.0)
        return self.trust * read + more - 0.5 * off.square() * (1 - pardon)

    def _read(
        self, ink: Tensor, offset: Tensor, points: Tensor, up: Tensor
    ) -> tuple[Tensor, Tensor]:
        votes = self.votes(ink, offset, points, up)
        moments = self._moments(votes)
        fix = self.sharpen(moments)
        height = (moments[:, 0] + fix[:, 0]) / 10
        parts = torch.stack([height, fix[:, 1]], dim=1)[..., MARGIN:-MARGIN]
        parts = parts.unflatten(0, points.shape[:2])
        return parts[:, :, 0], parts[:, :, 1]

    def _moments(self, votes: Tensor) -> Tensor:
        """(B * leads, 4, columns): of the votes' heights the mean, the spread, the third moment
        over the second, all in tenths of the page, and how many votes there are in all."""
        mass = votes.logsumexp(1, keepdim=True)
        mean, two, three = (self.powers @ (votes - mass).exp()).split(1, dim=1)
        square = (two - mean**2).clamp(min=0) + 1e-4
        cube = three - 3 * mean * two + 2 * mean**3
        return torch.cat([mean, square.sqrt(), cube / square, mass / 10], dim=1)
