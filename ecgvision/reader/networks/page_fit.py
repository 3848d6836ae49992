"""How a page lies in its picture: where time and rows run, agreed on by what all its cells say."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ecgvision.reader.networks.dense_head import Cells
from ecgvision.reader.rectify.least_squares import least_squares

FAR = 0.01
"""How far a cell's answer may lie from where the others put it before it counts less: a hundredth
of the page, our default, several times what a trained network is off by."""

ROUNDS = 4
"""How often the fit is repeated with the weights that its own residuals give; our default."""

TURNED = 1e-4
"""Variance of y over a page's rows, as a fraction of its height squared, below which a turn of the
page is held to be none; our default. Three rows have 0.03."""

BENT = 1e-4
"""Variance of time times y, or of time squared, below which a bend is held to be none; our default.
Time squared over a whole row has 0.0055."""

FLOOR = 1e-6
"""Weight of a cell that says another lead, our default, so that there always is a fit."""


def fit_page(
    cells: Cells, leads: Tensor, time: Tensor, flat: Tensor | None = None, rounds: int = ROUNDS
) -> tuple[Tensor, Tensor]:
    """One curve for each lead, (B, 12, T, 2), and the time_scale of time, (B,).

    On a page that lies flat, x is one straight function of time for all leads, and y a constant of
    each lead. A page that is turned adds to x a share of y, and to y a share of time; one that was
    photographed from the side, or that bends, adds to y their product and time squared. All shares
    are the page's, the same for all leads, so a lead of a few cells lies as well as one of many.

    x is given no such bend: what cells say of time is off alike for neighbours, which a bend
    follows, and on flat pages it cost a trained reader 5 dB. Straight x is 3 to 4 px of 768 off on
    drawn photographs; where a grid is seen, a `Sheet` gives it its bend.

    Least squares with the weights of Cauchy's estimator (iteratively reweighted, e.g. Holland and
    Welsch 1977), so that cells that are mistaken do not pull the others.

    Args:
        cells: N answers of each page.
        leads: (B, 12, N), the probability that a cell stands by a lead.
        time: (T,), fractions of the window that are asked for.
        flat: (B,), the time scale of a page that is known to lie flat, and NaN of others. On it
            time has that scale, and no row a slope.
        rounds: as `ROUNDS`; a rough answer needs two.
    """
    # sums of differences want all their digits, on whatever runs the exported graph
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
        slopes = _shares(along - middle, y - lead_y, weight, (0.0, BENT, BENT))
        slopes = torch.where(lies, 0.0, slopes)
        across = _across(dt, dy)
        centre = (weight[:, None] * across).sum((2, 3), keepdim=True) / total.sum(1)[:, None, None]
        time_scales = _shares(across - centre, x - mean_x, weight, (0.0, TURNED))
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
    """(B, 3, 12, N): what a row's height may have a share of."""
    t = t.expand(-1, y.shape[1], -1)
    return torch.stack([t, t * y, t.square()], dim=1)


def _across(t: Tensor, y: Tensor) -> Tensor:
    """(B, 2, 12, N): what x may have a share of."""
    return torch.stack(torch.broadcast_tensors(t, y), dim=1)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (weight * values).sum((1, 2), keepdim=True) / weight.sum((1, 2), keepdim=True)


def _sum(shares: Tensor, terms: Tensor) -> Tensor:
    return (shares[..., None, None] * terms).sum(1)


def _shares(terms: Tensor, wanted: Tensor, weight: Tensor, least: Sequence[float]) -> Tensor:
    """(B, K): of `terms` (B, K, 12, N), by least squares; a term whose variance is far below
    `least` has none."""
    wanted = wanted.expand_as(weight).flatten(1)
    return least_squares(terms.flatten(2), wanted, weight.flatten(1), terms.new_tensor(least))
