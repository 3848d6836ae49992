"""Decoder from the ink map to the height of the trace, column by column along a row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.reader.networks.overlap_net import OverlapNet

STEPS = 144
"""Number of heights at which a column is sampled, about one pixel apart at a page height of 576:
0.4 mm of a letter page."""

REACH = 0.139
"""Range above and below 0 mV in which a trace is followed, as a fraction of the page's height. Our
default: 30 mm of a letter page, 3 mV at 10 mm/mV."""

MARGIN = 8
"""Extra columns read before and after the window, so that the first and last samples have
neighbours; our default: half the receptive field of the last network."""

NEAR = 0.02
"""Initial standard deviation of the difference between a pixel's predicted 0 mV line and the row,
as a fraction of the page's height; our default: 4 mm of a letter page."""


def more_points(points: Tensor, margin: int = MARGIN) -> Tensor:
    """Extrapolate both ends linearly, from (B, L, T, 2) to (B, L, T + 2 margin, 2)."""
    count = torch.arange(1, margin + 1, device=points.device)[:, None]
    first, last = points[:, :, :1], points[:, :, -1:]
    before = first - count.flip(0) * (points[:, :, 1:2] - first)
    after = last + count * (last - points[:, :, -2:-1])
    return torch.cat([before, points, after], dim=2)


def look(heights: Tensor, maps: Sequence[Tensor], points: Tensor, up: Tensor) -> list[Tensor]:
    """Sample maps at each height above each point, (B, leads, heights, columns) per map.

    Args:
        heights: (STEPS,), as fractions of the page's height.
        maps: (B, 1, h, w) each; values beyond a map are those of its edge.
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
"""Initial Laplace scale, as a fraction of the page's height; our default: 0.2 mV on a letter
page."""


class TraceDecoder(nn.Module):
    """Read the height of the trace in each column of a strip along a row.

    Each height of a column has a vote. It is the trace logit of the ink map there, less a penalty
    for the distance between the pixel's predicted 0 mV line and this row. `OverlapNet` waives the
    penalty for pixels that belong to the row all the same. The height of the trace is the mean of
    the heights weighted by their votes. A steep stroke fills a column from its foot to its peak,
    where the mean is uninformative: a small network restores sharp edges from mean, spread and skew
    of the votes in neighbouring columns, and predicts the scale of the error.

    Shape:
        ink: (B, 1, H, W), logits, and offset: (B, 1, H / 2, W / 2), both from an `InkMap`; points:
        (B, leads, T + 2 MARGIN, 2), the 0 mV point of each column; up: same shape, the displacement
        in the image of a column that rises by one page height; None: upright. Result: (B, leads,
        T), height above 0 mV as a fraction of the page's height, and (B, leads, T), log of its
        Laplace scale.
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
        with torch.autocast(ink.device.type, enabled=False):  # heights need full precision
            up = points.new_tensor([0.0, -1.0]).expand_as(points) if up is None else up
            return self._read(ink.float(), offset.float(), points, up)

    def votes(
        self, ink: Tensor, offset: Tensor, points: Tensor, up: Tensor, *, crossed: bool = True
    ) -> Tensor:
        """Return (B * leads, STEPS, columns), logits of the heights of every column.

        Args:
            crossed: whether to apply `OverlapNet`; False counts every pixel for its predicted row
                only.
        """
        maps = look(self.heights, (ink, offset), points, up)
        read, own = (seen.flatten(0, 1) for seen in maps)
        # 0 where the pixel's 0 mV line is that of the row
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
        """Return (B * leads, 4, columns): moments of the votes' heights.

        They are the mean, the spread, the third moment over the second (all in tenths of the page),
        and a tenth of the log of the total vote.
        """
        mass = votes.logsumexp(1, keepdim=True)
        mean, two, three = (self.powers @ (votes - mass).exp()).split(1, dim=1)
        square = (two - mean**2).clamp(min=0) + 1e-4
        cube = three - 3 * mean * two + 2 * mean**3
        return torch.cat([mean, square.sqrt(), cube / square, mass / 10], dim=1)
