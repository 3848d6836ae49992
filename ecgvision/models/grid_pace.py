"""How wide a second is, measured on the grid of the paper: its large squares are 5 mm."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

SPEEDS = (25.0, 50.0)
"""mm/s that papers run at; which of them a page has is taken from the pace that is refined."""

SQUARE_MM = 5.0

REPEATS = (1, 2, 5)
"""Thick lines and thin ones repeat once, twice and five times in 5 mm; the thin ones' own
millimetre tells paces apart most finely. Our choice: so 86 % of the validation pages were measured
to within .1 %, by 5 mm alone 58 %."""

FINEST = 2.2
"""Pixels of the finest lines that are looked for; finer than 2 shows as something coarser."""

SPAN, STEPS = 0.04, 161
"""How far from the given pace the grid is looked for, and at how many periods: our defaults, a few
times what a trained search is off by, in steps of a twentieth of a per cent."""

SHARP = 20.0
"""The best period is the mean of a softmax over all, of their strength over the greatest, times
this: our default. A greatest alone would jump from one to the next by the last digit."""

EDGE = 0.002
"""A best period that near the end of the span counts less, our default, and at the end is none."""

BANDS = 12
"""Parts of the height that are measured each by itself: a page may be turned by a degree."""

FAINT, LEVELS = 0.03, 15.0
"""Share of a profile's variance that a grid must explain to count at all, and the levels of 255
that one pixel may count, so that print is no stronger than the grid; our defaults. Grids that were
measured rightly explained .1 or more, and what was mistaken for one up to .03."""


def measure_pace(image: Tensor, pace: Tensor, seconds: float) -> Tensor:
    """The pace that the grid near it has, or the given one where no grid is seen.

    The power of the columns' mean darkness at the period of 5 mm, summed over bands.

    Args:
        pace: fraction of the width that the window takes, right to within `SPAN`.
        seconds: of the window.

    Shape:
        image: (B, 3, H, W); pace: (B,); result: (B,), without gradient to the image.
    """
    with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
        return pace * _factor(image, pace.float(), seconds)


def _factor(image: Tensor, pace: Tensor, seconds: float) -> Tensor:
    dark = (255 - image.float()).amax(1, keepdim=True)  # the channel that sees a coloured grid
    around = F.avg_pool2d(dark, 25, stride=1, padding=12, count_include_pad=False)
    dark = (dark - around).clamp(-LEVELS, LEVELS)[:, 0]
    width = dark.shape[-1]
    profile = F.adaptive_avg_pool2d(dark, (BANDS, width))
    profile = profile * torch.hann_window(width, periodic=False, device=dark.device)
    variance = profile.square().sum(-1, keepdim=True).clamp(min=1e-3)
    factor = torch.linspace(1 - SPAN, 1 + SPAN, STEPS, device=dark.device)
    x = torch.arange(width, device=dark.device) - width / 2
    strength = []
    for speed in SPEEDS:
        square = pace * width / seconds / speed * SQUARE_MM  # (B,) pixels
        power = torch.zeros(())
        for repeats in REPEATS:
            length = (square / repeats).clamp(min=1.0)[:, None] * factor
            phase = 2 * math.pi * x / length[..., None]  # (B, STEPS, W)
            waves = [profile @ wave.transpose(1, 2) for wave in (phase.cos(), phase.sin())]
            told = (square / repeats > FINEST)[:, None, None]
            power = power + torch.where(told, waves[0].square() + waves[1].square(), 0.0)
        strength.append((power / variance * (2 / width)).mean(1))
    power = torch.stack(strength, dim=1).amax(1)  # (B, STEPS)
    found = power.amax(1, keepdim=True)
    best = (SHARP * power / found.clamp(min=1e-6)).softmax(1) @ factor
    seen = ((found[:, 0] - FAINT) / FAINT).clamp(0, 1)  # all of it from twice that on
    inside = ((SPAN - (best - 1).abs()) / EDGE).clamp(0, 1)
    return 1 + seen * inside * (best - 1)
