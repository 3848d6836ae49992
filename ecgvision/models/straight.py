"""Where patches were found, made to agree: those of a lead lie on one line, and time runs alike for
all leads of a page."""

from __future__ import annotations

import torch
from torch import Tensor

FAR = 0.01
"""How far a patch may lie from where its fellows put it before it counts less: a hundredth of the
page, our default, about twice what a search that has learned is off by."""

ROUNDS = 3
"""How often the fit is repeated with the weights that its own residuals give; our default."""

FLOOR = 1e-3
"""Weight of a patch that was not found at all, our default, so that there always is a fit."""


def straighten(ends: Tensor, found: Tensor) -> Tensor:
    """One line for each lead through the middles of its patches, and one rate of time for all.

    On a page that lies flat, x is the same straight function of time for every lead, and y a
    straight one for each lead alone; a turned page keeps both but for a shift of x by row, which
    is fitted for each lead too. Least squares with the weights of Cauchy's estimator (iteratively
    reweighted, e.g. Holland and Welsch 1977), so that a patch that was found in the wrong place
    does not pull the others.

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
    """(B, leads, patches, 2): the lines at `time`, where all leads of a page share their slopes.

    A lead alone of which a few patches were printed says little of a slope; the page says it.
    """
    total = weight.sum(2, keepdim=True)
    centre = (weight * time).sum(2, keepdim=True) / total  # (B, leads, 1)
    mean = (weight[..., None] * middle).sum(2, keepdim=True) / total[..., None]
    off = time - centre
    spread = (weight * off**2).sum((1, 2))[:, None, None, None]
    slope = ((weight * off)[..., None] * (middle - mean)).sum((1, 2))[:, None, None]
    return mean + off[..., None] * slope / spread.clamp(min=1e-9)
