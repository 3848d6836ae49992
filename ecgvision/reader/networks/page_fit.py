"""Fit of the page geometry: the 0 mV line of every lead, from the predictions of all cells."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ecgvision.reader.networks.dense_head import Cells
from ecgvision.reader.rectify.least_squares import least_squares

FAR = 0.01
"""Residual at which a cell's weight is halved, as a fraction of the page; our default: several
times the error of a trained network."""

ROUNDS = 4
"""Number of fits, each but the first reweighted by the previous residuals; our default."""

ROTATION_RIDGE = 1e-4
"""Ridge on the rotation: variance of y over a page's rows, as a fraction of its height squared, far
below which no rotation is fitted. Our default; three rows have 0.03."""

BEND_RIDGE = 1e-4
"""Ridge on the bend: variance of time times y, or of time squared, far below which no bend is
fitted. Our default; time squared over a full row has 0.0055."""

FLOOR = 1e-6
"""Weight added to every cell, so that a fit always exists; our default."""


def fit_page(
    cells: Cells, leads: Tensor, time: Tensor, flat: Tensor | None = None, rounds: int = ROUNDS
) -> tuple[Tensor, Tensor]:
    """Fit one curve per lead, (B, 12, T, 2), and the time scale of the page, (B,).

    On a flat page, x is one linear function of time for all leads, and y is constant for each lead.
    Rotation adds a share of y to x, and a share of time to y. Perspective and bends add to y a
    share of time times y and of time squared. All shares are common to all leads of a page, so a
    lead with few cells is located as accurately as one with many.

    x has no bend terms. The errors of neighbouring cells' times are correlated, a bend would follow
    them, and on flat pages that cost a trained reader 5 dB. A straight x is off by 3 to 4 px of 768
    on drawn photographs; where a grid is visible, a `Sheet` models the bend of x.

    Least squares with the weights of Cauchy's estimator (iteratively reweighted, e.g. Holland and
    Welsch 1977), so that outlying cells have little influence.

    Args:
        cells: N predictions per page.
        leads: (B, 12, N), the probability that a cell belongs to a lead.
        time: (T,), times of the curves, as fractions of the window.
        flat: (B,), the known time scale of a flat page; NaN for other pages. On a flat page time
            has that scale, and rows have no slope.
        rounds: see `ROUNDS`; two are enough for a rough result.
    """
    # double precision: sums of differences lose digits, also in the exported graph
    x, y, t = (v[:, None].double() for v in (cells.x, cells.y, cells.time))  # (B, 1, N)
    prior, time = leads.double().square() + FLOOR, time.double()
    weight = prior
    flat = torch.full_like(time[:1], torch.nan) if flat is None else flat.double()
    even = torch.stack([flat, torch.zeros_like(flat)], dim=1)
    lies = ~flat.isnan()[:, None]
    for turn in range(rounds):
        total = weight.sum(2, keepdim=True)
        lead_y = (weight * y).sum(2, keepdim=True) / total
        mean_t, mean_x, mean_y = (_mean(v, weight) for v in (t, x, lead_y))
        dt, dy = t - mean_t, lead_y - mean_y
        along = _along(dt, dy)
        middle = (weight[:, None] * along).sum(3, keepdim=True) / total[:, None]
        slopes = _shares(along - middle, y - lead_y, weight, (0.0, BEND_RIDGE, BEND_RIDGE))
        slopes = torch.where(lies, 0.0, slopes)
        across = _across(dt, dy)
        centre = (weight[:, None] * across).sum((2, 3), keepdim=True) / total.sum(1)[:, None, None]
        time_scales = _shares(across - centre, x - mean_x, weight, (0.0, ROTATION_RIDGE))
        time_scales = torch.where(lies, even, time_scales)
        if turn + 1 < rounds:
            miss_x = x - mean_x - _sum(time_scales, across - centre)
            miss_y = y - lead_y - _sum(slopes, along - middle)
            weight = prior / (1 + (miss_x.square() + miss_y.square()) / FAR**2)
    dt = time - mean_t
    line_x = mean_x + _sum(time_scales, _across(dt, dy) - centre)
    line_y = lead_y + _sum(slopes, _along(dt, dy) - middle)
    return torch.stack([line_x, line_y], dim=-1).to(leads.dtype), time_scales[:, 0].to(leads.dtype)


def _along(t: Tensor, y: Tensor) -> Tensor:
    """Return (B, 3, 12, N): the terms of a row's y (time, time times y, time squared)."""
    t = t.expand(-1, y.shape[1], -1)
    return torch.stack([t, t * y, t.square()], dim=1)


def _across(t: Tensor, y: Tensor) -> Tensor:
    """Return (B, 2, 12, N): the terms of x (time, y)."""
    return torch.stack(torch.broadcast_tensors(t, y), dim=1)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (weight * values).sum((1, 2), keepdim=True) / weight.sum((1, 2), keepdim=True)


def _sum(shares: Tensor, terms: Tensor) -> Tensor:
    return (shares[..., None, None] * terms).sum(1)


def _shares(terms: Tensor, wanted: Tensor, weight: Tensor, least: Sequence[float]) -> Tensor:
    """Return (B, K): coefficients of `terms`, (B, K, 12, N), by least squares.

    The coefficient of a term whose variance is far below `least` is nearly 0.
    """
    wanted = wanted.expand_as(weight).flatten(1)
    return least_squares(terms.flatten(2), wanted, weight.flatten(1), terms.new_tensor(least))
