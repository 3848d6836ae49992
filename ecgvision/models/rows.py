"""From what cells say to where each sample's 0 mV lies: as the whole page lies, and, where a row is
seen, as high as it is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.models.cells import Cells
from ecgvision.models.page_fit import FAR, FLOOR, fit_page

NEAR = 1.0
"""Seconds before and after a sample from which its row's height is followed; our default."""


class Rows(NamedTuple):
    """Where samples are.

    Attributes:
        points: (B, 12, T, 2), where each sample's 0 mV lies, x and y as fractions of the image.
        pace: (B,), fraction of the image's width that the whole window takes.
        presence: (B, 12, T), the probability that the sample was printed.
    """

    points: Tensor
    pace: Tensor
    presence: Tensor


def find_rows(
    cells: Cells, leads: Tensor, grid: tuple[int, int], length: int, near: int,
    sharpen: Callable[[Tensor], Tensor] | None = None,
) -> Rows:  # fmt: skip
    """The rows of all leads.

    Args:
        cells: of a map of `grid` (rows, columns).
        leads: (B, 12, N), the probability that a cell stands by a lead.
        length: samples of the window.
        near: samples to either side that a row's height is followed from.
        sharpen: from the pace that the cells agree on to a better one.
    """
    time = (torch.arange(length, device=leads.device) + 0.5) / length
    points, pace = fit_page(cells, leads, time, sharpen)
    there, y = _along(cells, leads, grid, points)
    off = y - points[..., 1]
    # what cells say counts as far as they are the lead's, and near the line
    off = _around(off, there / (1 + off.square() / FAR**2), near)
    points = torch.stack([points[..., 0], points[..., 1] + off], dim=-1)
    return Rows(points, pace, _along(cells, leads, grid, points)[0])


def _along(
    cells: Cells, leads: Tensor, grid: tuple[int, int], points: Tensor
) -> tuple[Tensor, Tensor]:
    """(B, 12, T) each: the probability of each lead along its own row, and the y that those cells
    that are the lead's say there."""
    told = torch.stack([torch.ones_like(cells.y), cells.y], dim=1)
    maps = (leads[:, :, None] * told[:, None]).unflatten(3, grid).flatten(0, 1)
    spots = 2 * points.flatten(0, 1)[:, None] - 1
    seen = F.grid_sample(maps, spots, align_corners=False)[:, :, 0].unflatten(0, leads.shape[:2])
    there, y = seen.unbind(2)
    return there, y / there.clamp(min=FLOOR)


def _around(off: Tensor, weight: Tensor, near: int) -> Tensor:
    """The weighted mean of (B, 12, T) over `near` samples to either side."""
    both = torch.stack([off * weight, weight], dim=2).flatten(0, 1)
    mean = F.avg_pool1d(both, 2 * near + 1, stride=1, padding=near)
    return (mean[:, 0] / (mean[:, 1] + FLOOR)).unflatten(0, off.shape[:2])
