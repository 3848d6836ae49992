"""Random windows of a page's leads that are decoded in a training step."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ecgvision.nn.training.task import Batch
from ecgvision.reader.networks.trace_decoder import MARGIN

ROW_PX = 2.0
"""Standard deviation of the row error added in training, in pixels of a page 576 high. Our default:
a few times the error of a trained search."""


class Windows(NamedTuple):
    """Windows of L samples, one per lead, within its printed part.

    Attributes:
        points: (B, 12, L + 2 MARGIN, 2), the shifted 0 mV point of each sample.
        up: same shape, the displacement of a column that rises by the page's height; tilted on a
            page that is turned.
        moved: (B, 12), downward shift of the points, as a fraction of the page's height.
        voltage_scale: (B, 12), fraction of the height that 1 mV takes; 1 where nothing is printed.
        signal: (B, 12, L) mV.
        printed: (B, 12, L) bool.
        first: (B, 12), the window's first sample.
        length: number of samples of the full signal.
    """

    points: Tensor
    up: Tensor
    moved: Tensor
    voltage_scale: Tensor
    signal: Tensor
    printed: Tensor
    first: Tensor
    length: int

    def spread(self, values: Tensor) -> Tensor:
        """Put (B, 12, L) at its place in (B, 12, length), with 0 elsewhere."""
        out = values.new_zeros(*values.shape[:2], self.length)
        index = self.first[..., None] + torch.arange(values.shape[-1], device=values.device)
        return out.scatter(2, index, values)


def draw_windows(batch: Batch, length: int) -> Windows:
    """Draw a random window within the printed part of each lead of a `ReadingDataset` batch.

    Beyond the printed part the row is extrapolated linearly.
    """
    place, printed, signal = batch["place"], batch["printed"], batch["signal"]
    whole = printed.shape[-1]
    index = torch.arange(whole, device=place.device)
    first = torch.where(printed, index, whole - 1).amin(2)
    last = torch.where(printed, index, 0).amax(2)
    room = (last - first + 1 - length).clamp(min=0)
    start = first + (torch.rand(room.shape, device=place.device) * (room + 1)).long()
    start = start.clamp(max=whole - length)
    known = last > first
    first, last = torch.where(known, first, 0), torch.where(known, last, 1)

    def at(where: Tensor) -> Tensor:
        return place.gather(2, where[..., None].expand(-1, -1, -1, 2)).nan_to_num()

    steps = torch.arange(-MARGIN, length + MARGIN, device=place.device)
    wanted = start[..., None] + steps
    held = wanted.clamp(first[..., None], last[..., None])
    step = (at(last[..., None]) - at(first[..., None])) / (last - first)[..., None, None]
    points = at(held) + (wanted - held)[..., None] * step
    moved = torch.randn(known.shape, device=place.device) * (ROW_PX / 576)
    points = points + torch.stack([torch.zeros_like(moved), moved], dim=-1)[:, :, None]
    inside = wanted[..., MARGIN:-MARGIN]
    seen = printed.gather(2, inside)
    voltage_scale = (
        batch["voltage_scale"].nan_to_num().gather(2, inside[..., None].expand(-1, -1, -1, 2))
    )
    mean = (voltage_scale * seen[..., None]).sum(2) / seen.sum(2)[..., None].clamp(min=1)
    aside, middle = mean.unbind(2)
    there = middle.abs() > 1e-4
    middle = torch.where(there, middle, 1.0)
    up = -torch.stack([aside / middle, torch.ones_like(middle)], dim=-1)[:, :, None]
    return Windows(points, up.expand_as(points), moved, middle, signal.gather(2, inside),
                   seen & there[..., None], start, whole)  # fmt: skip
