"""Location of each sample's 0 mV point, from the predictions of all cells and one page geometry.

Rows are not fitted freely along their cells, which would add the noise of the cells: on photographs
with a visible grid that cost a trained reader two decibels, on clean pages nearly one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.reader.networks.columns import snap_to_columns
from ecgvision.reader.networks.dense_head import Cells
from ecgvision.reader.networks.page_fit import fit_page
from ecgvision.reader.rectify.grid_dewarp import find_sheet
from ecgvision.reader.rectify.sheet import Sheet


class Rows(NamedTuple):
    """Positions of all samples on the page.

    Attributes:
        points: (B, 12, T, 2), each sample's 0 mV point, x and y as fractions of the image.
        time_scale: (B,), fraction of the sheet's width that the window takes.
        presence: (B, 12, T), the probability that the sample was printed; see `snap_to_columns`.
        sheet: the geometry of the page's sheet in the image.
    """

    points: Tensor
    time_scale: Tensor
    presence: Tensor
    sheet: Sheet


def find_rows(
    cells: Cells, leads: Tensor, grid: tuple[int, int], image: Tensor, length: int, seconds: float
) -> Rows:
    """Find the rows of all leads.

    A rough fit of the cells comes first. Where a grid is visible, the second fit is on the
    flattened sheet.

    Args:
        cells: of a map of `grid` (rows, columns).
        leads: (B, 12, N), the probability that a cell belongs to a lead.
        image: (B, 3, H, W), the image of the cells.
        length: number of samples of the window.
        seconds: duration of the window.
    """
    time = (torch.arange(length, device=leads.device) + 0.5) / length
    _, time_scale = fit_page(cells, leads, time, rounds=2)
    sheet = find_sheet(image, time_scale, seconds)
    x, y = sheet.flat(torch.stack([cells.x, cells.y], dim=-1).double()).unbind(-1)
    known = torch.where(sheet.seen, time_scale, torch.nan)
    points, time_scale = fit_page(cells._replace(x=x, y=y), leads, time, known)
    points = sheet.bent(points)
    return Rows(points, time_scale, snap_to_columns(_along(leads, grid, points)), sheet)


def _along(leads: Tensor, grid: tuple[int, int], points: Tensor) -> Tensor:
    """Return (B, 12, T): the probability of each lead along its own row."""
    maps = leads.unflatten(2, grid).flatten(0, 1)[:, None]
    spots = 2 * points.flatten(0, 1)[:, None] - 1
    seen = F.grid_sample(maps, spots, align_corners=False)[:, 0, 0]
    return seen.unflatten(0, leads.shape[:2])
