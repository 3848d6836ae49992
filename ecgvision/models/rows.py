"""From what cells say to where each sample's 0 mV lies: as the whole page lies, and, where a row is
seen, as high as it is seen."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.models.cells import Cells
from ecgvision.models.page_fit import FAR, FLOOR, fit_page
from ecgvision.models.sheet import Sheet
from ecgvision.models.sheet_search import find_sheet

NEAR = 1.0
"""Seconds before and after a sample from which its row's height is followed; our default."""


class Rows(NamedTuple):
    """Where samples are.

    Attributes:
        points: (B, 12, T, 2), where each sample's 0 mV lies, x and y as fractions of the image.
        pace: (B,), fraction of the sheet's width that the whole window takes.
        presence: (B, 12, T), the probability that the sample was printed.
        sheet: how the page's sheet lies in the image.
    """

    points: Tensor
    pace: Tensor
    presence: Tensor
    sheet: Sheet


def find_rows(
    cells: Cells, leads: Tensor, grid: tuple[int, int], image: Tensor, length: int, seconds: float
) -> Rows:
    """The rows of all leads: first as far as the cells know, and then, where the paper's grid is
    seen, on the sheet laid flat.

    Args:
        cells: of a map of `grid` (rows, columns).
        leads: (B, 12, N), the probability that a cell stands by a lead.
        image: (B, 3, H, W), of which the cells are.
        length: samples of the window; seconds: of it.
    """
    time = (torch.arange(length, device=leads.device) + 0.5) / length
    _, pace = fit_page(cells, leads, time, rounds=2)
    sheet = find_sheet(image, pace, seconds)
    x, y = sheet.flat(torch.stack([cells.x, cells.y], dim=-1).double()).unbind(-1)
    known = torch.where(sheet.seen, pace, torch.nan)
    points, pace = fit_page(cells._replace(x=x, y=y), leads, time, known)
    points = sheet.bent(points)
    there, y = _along(cells, leads, grid, points)
    off = y - points[..., 1]
    # what cells say counts as far as they are the lead's, and near the line
    off = _around(off, there / (1 + off.square() / FAR**2), round(NEAR * length / seconds))
    points = torch.stack([points[..., 0], points[..., 1] + off], dim=-1)
    return Rows(points, pace, _along(cells, leads, grid, points)[0], sheet)


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
