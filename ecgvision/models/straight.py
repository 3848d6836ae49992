"""Where patches were found, made to agree: those of a lead lie on one line, time runs alike for all
leads of a page, and the line lies where most ink does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

FAR = 0.01
"""How far a patch may lie from where its fellows put it before it counts less: a hundredth of the
page, our default, about twice what a search that has learned is off by."""

ROUNDS = 3
"""How often the fit is repeated with the weights that its own residuals give; our default."""

TURNED = 1e-4
"""Variance of y over a page's rows, as a fraction of its height squared, below which a turn of the
page is held to be none; our default. Three rows have 0.03."""

FLOOR = 1e-3
"""Weight of a patch that was not found at all, our default, so that there always is a fit."""

RANGE, NEAR, STEPS = 0.05, 0.02, 65
"""How far up and down the ink is looked at, where it is at home (a standard deviation), and at how
many heights; as fractions of the page's height, our defaults: 11 and 4 mm of a letter page in steps
of a third of a millimetre. Rows are 15 mm apart where they are closest."""

PEAK = 6.0
"""How many standard deviations of the prior a height's share of the ink is worth; our default."""


def straighten(ends: Tensor, found: Tensor) -> Tensor:
    """One line for each lead through the middles of its patches, and one time axis for the page.

    On a page that lies flat, x is one straight function of time for all leads, and y a constant of
    each lead; turning the page adds to x a share of y, and to y a share of time, the same for all
    leads. Least squares with the weights of Cauchy's estimator (iteratively reweighted, e.g.
    Holland and Welsch 1977), so that a patch that was found in the wrong place does not pull the
    others.

    Args:
        ends: both ends of each patch, x and y as fractions of the image.
        found: weights, the probability that the patch was printed.

    Shape:
        ends: (B, leads, patches, 2, 2); found: (B, leads, patches); result: as ends.
    """
    patches = ends.shape[2]
    if patches < 2:
        return ends
    middle = ends.mean(3)
    time = torch.arange(patches, device=ends.device, dtype=ends.dtype) - (patches - 1) / 2
    prior = found.to(ends.dtype) + FLOOR
    weight = prior
    line = middle
    for _ in range(ROUNDS):
        line = _fit(middle, time, weight)
        off = (middle - line).square().sum(-1)
        weight = prior / (1 + off / FAR**2)
    slope = (line[:, :, -1:] - line[:, :, :1]) / (patches - 1)  # of one patch
    return torch.stack([line - slope / 2, line + slope / 2], dim=3)


def _fit(middle: Tensor, time: Tensor, weight: Tensor) -> Tensor:
    """(B, leads, patches, 2): the lines at `time`.

    Written out instead of solved as equations, for which ONNX has no operator.
    """
    x, y = middle.unbind(-1)
    total = weight.sum(2, keepdim=True)
    lead_y = (weight * y).sum(2, keepdim=True) / total  # (B, leads, 1)
    off = time - (weight * time).sum(2, keepdim=True) / total
    spread = (weight * off**2).sum((1, 2), keepdim=True).clamp(min=1e-9)
    rise = (weight * off * (y - lead_y)).sum((1, 2), keepdim=True) / spread
    whole = weight.sum((1, 2), keepdim=True)

    def centred(v: Tensor) -> tuple[Tensor, Tensor]:
        mean = (weight * v).sum((1, 2), keepdim=True) / whole
        return v - mean, mean

    dt, _ = centred(time.expand_as(x))
    dy, _ = centred(lead_y.expand_as(x))
    dx, mean_x = centred(x)
    tt, yy, ty = ((weight * a * b).sum((1, 2), keepdim=True) for a, b in
                  ((dt, dt), (dy, dy), (dt, dy)))  # fmt: skip
    xt, xy = ((weight * dx * v).sum((1, 2), keepdim=True) for v in (dt, dy))
    yy = yy + TURNED * whole  # a page of one row says nothing of its turn
    tt = tt.clamp(min=1e-9)
    scale = (tt * yy - ty**2).clamp(min=1e-12)
    by_time, by_y = (xt * yy - xy * ty) / scale, (xy * tt - xt * ty) / scale
    line_x = mean_x + by_time * dt + by_y * dy
    return torch.stack([line_x, lead_y + off * rise], dim=-1)


def settle(ends: Tensor, found: Tensor, ink: Tensor) -> Tensor:
    """Move each lead's line up or down to where most of its ink lies.

    A trace spends most of its time near 0 mV, so that along its true line the ink of all columns
    adds up; a line that is off by a few millimetres runs beside that ridge. The height is the mean
    of a softmax over heights of the ink along the line, near the line that was found.

    Args:
        ends, found: as `straighten`.
        ink: (B, 1, H, W), 1 where it is as dark as the page's usual ink.

    Shape:
        ends: (B, leads, patches, 2, 2); result: the same.
    """
    for _ in range(2):
        ends = _settled(ends, found, ink)
    return ends


def _settled(ends: Tensor, found: Tensor, ink: Tensor) -> Tensor:
    columns = 8  # of a patch: one every 80 ms, between beats mostly
    share = (torch.arange(columns, device=ends.device) + 0.5) / columns
    line = ends[:, :, :, :1] + share[:, None] * (ends[:, :, :, 1:] - ends[:, :, :, :1])
    heights = torch.linspace(-RANGE, RANGE, STEPS, device=ends.device)
    down = torch.stack([torch.zeros_like(heights), heights], dim=-1)[:, None]  # (STEPS, 1, 2)
    flat = line.flatten(2, 3).unsqueeze(2) + down  # (B, leads, STEPS, patches * columns, 2)
    read = F.grid_sample(ink, 2 * flat.flatten(1, 2) - 1, align_corners=False)
    read = read[:, 0].unflatten(1, (-1, STEPS)).clamp(max=1)
    weight = (found + FLOOR).repeat_interleave(columns, dim=2).unsqueeze(2)
    ridge = (read * weight).sum(-1) / weight.sum(-1)  # (B, leads, STEPS), 1 for a flat black line
    votes = (PEAK * 4 * ridge - 0.5 * (heights / NEAR) ** 2).softmax(-1)
    shift = (votes * heights).sum(-1)[..., None, None]  # (B, leads, 1, 1)
    return torch.stack([ends[..., 0], ends[..., 1] + shift], dim=-1)
