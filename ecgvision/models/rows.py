"""From what cells say to where each sample's 0 mV lies: a lead's row is a straight line, time runs
alike for all leads of a page, and a row that bends is followed where it is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.models.cells import Cells

FAR = 0.01
"""How far a cell's answer may lie from where the others put it before it counts less: a hundredth
of the page, our default, several times what a trained network is off by."""

ROUNDS = 4
"""How often the fit is repeated with the weights that its own residuals give; our default."""

TURNED = 1e-4
"""Variance of y over a page's rows, as a fraction of its height squared, below which a turn of the
page is held to be none; our default. Three rows have 0.03."""

FLOOR = 1e-6
"""Weight of a cell that says another lead, our default, so that there always is a fit."""

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
    cells: Cells, grid: tuple[int, int], length: int, near: int,
    sharpen: Callable[[Tensor], Tensor] | None = None,
) -> Rows:  # fmt: skip
    """The rows of all leads.

    Args:
        cells: of a map of `grid` (rows, columns).
        length: samples of the window.
        near: samples to either side that a row's height is followed from.
        sharpen: from the pace that the cells agree on to a better one.
    """
    leads = cells.of_leads()
    time = (torch.arange(length, device=leads.device) + 0.5) / length
    points, pace = _straight(cells, leads, time, sharpen)
    there, y = _along(cells, leads, grid, points)
    off = y - points[..., 1]
    # what cells say counts as far as they are the lead's, and near the line
    off = _around(off, there / (1 + off.square() / FAR**2), near)
    points = torch.stack([points[..., 0], points[..., 1] + off], dim=-1)
    return Rows(points, pace, _along(cells, leads, grid, points)[0])


def _straight(
    cells: Cells, leads: Tensor, time: Tensor, sharpen: Callable[[Tensor], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """One line for each lead, (B, 12, T, 2), and the pace of time, (B,).

    On a page that lies flat, x is one straight function of time for all leads, and y a constant of
    each lead; turning the page adds to x a share of y, and to y a share of time, the same for all
    leads. Least squares with the weights of Cauchy's estimator (iteratively reweighted, e.g.
    Holland and Welsch 1977), so that cells that are mistaken do not pull the others. Written out
    instead of solved as equations, for which ONNX has no operator.
    """
    # sums of differences want all their digits, on whatever runs the exported graph
    x, y, t = (v[:, None].double() for v in (cells.x, cells.y, cells.time))  # (B, 1, N)
    prior, time = leads.double().square() + FLOOR, time.double()
    weight = prior
    for turn in range(ROUNDS):
        total = weight.sum(2, keepdim=True)
        lead_y, lead_t = ((weight * v).sum(2, keepdim=True) / total for v in (y, t))
        spread = (weight * (t - lead_t).square()).sum((1, 2), keepdim=True).clamp(min=1e-9)
        slope = (weight * (t - lead_t) * (y - lead_y)).sum((1, 2), keepdim=True) / spread
        mean_t, mean_x, mean_y = (_mean(v, weight) for v in (t, x, lead_y))
        dt, dx, dy = t - mean_t, x - mean_x, lead_y - mean_y
        tt, yy, ty, xt, xy = (
            (weight * a * b).sum((1, 2), keepdim=True)
            for a, b in ((dt, dt), (dy, dy), (dt, dy), (dx, dt), (dx, dy))
        )
        yy = yy + TURNED * weight.sum((1, 2), keepdim=True)  # one row says nothing of a turn
        scale = (tt * yy - ty**2).clamp(min=1e-12)
        by_time, by_y = (xt * yy - xy * ty) / scale, (xy * tt - xt * ty) / scale
        if turn + 1 < ROUNDS:
            miss_x = x - (mean_x + by_time * dt + by_y * dy)
            miss_y = y - (lead_y + slope * (t - lead_t))
            weight = prior / (1 + (miss_x.square() + miss_y.square()) / FAR**2)
    pace = by_time[:, 0, 0] if sharpen is None else sharpen(by_time[:, 0, 0])
    line_x = mean_x + pace[:, None, None] * (time - mean_t) + by_y * dy
    line_y = lead_y + slope * (time - lead_t)
    return torch.stack([line_x, line_y], dim=-1).to(leads.dtype), pace.to(leads.dtype)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (weight * values).sum((1, 2), keepdim=True) / weight.sum((1, 2), keepdim=True)


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
