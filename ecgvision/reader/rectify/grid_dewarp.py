"""Geometry of the sheet in its image, from the printed grid.

The grid is the same everywhere on the paper. Where its lines are closer together or tilted in the
image, the paper is farther away or turned. Each block of the image yields the period and the tilt
of its grid lines. A polynomial of the third degree is fitted to all blocks, which models
perspective and curled sheets. It is refined by the phase differences of the lines between
neighbouring blocks. Our own design; the phases are those of fringe analysis (Takeda, Ina and
Kobayashi 1982).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.reader.rectify.least_squares import least_squares
from ecgvision.reader.rectify.sheet import POWERS, Sheet, polynomial, powers, slope_terms

SPEEDS = (25.0, 50.0)
"""Paper speeds in mm/s; the one whose grid is more visible is taken."""

SQUARE_MM = 5.0

REPEATS = (1, 2, 5)
"""Number of periods of the grid lines per 5 mm, for thick and thin lines; our choice."""

FINEST = 2.2
"""Minimum period of grid lines in pixels; lines finer than 2 pixels alias to coarser ones."""

HOP = 48
BLOCK = 2 * HOP
"""Stride and size of the blocks in pixels; our defaults: a block is 40 mm of a page 768 pixels
wide. Blocks without overlap take half the time, and miss one grid in twenty."""

FEWEST = 3
"""Minimum number of blocks that fit side by side in either direction; fewer do not determine a
bend."""

WIDEST, TURN, STEP = 0.14, 0.14, 0.01
"""Search range of the lines' frequency relative to the given time scale, search range of their tilt
as a fraction of the frequency, and the step of both. Our defaults: more than the effect of a camera
at an angle of 20 degrees."""

SHARP = 20.0
"""Inverse temperature of the soft-argmax over a block's spectrum, relative to its maximum; our
default. A hard argmax would jump between neighbours on rounding errors."""

FAINT, LEVELS = 0.03, 15.0
"""Minimum share of a block's variance that lines must explain to count, and the clamp on a pixel in
levels of 255, so that print is no stronger than the grid. Our defaults: grids explain .1 or more,
and patterns mistaken for one up to .03."""

REFINED = 2
"""Number of refinements by phase; our default: the second changes the scale by .01 % or less."""

AGREED, SCALE_PENALTY, EXPLAINED = 0.45, 3.5, 0.01
"""Conditions for a visible grid; our defaults. The share of answers that agree after the fit must
exceed `AGREED` plus `SCALE_PENALTY` times the relative difference to the given scale. The mean
variance that lines explain beyond `FAINT` must exceed `EXPLAINED`. Pages without a grid
reach an agreement of .4, and grids mistaken for another scale .65."""

RIDGE = (0.0, 0.0, 2e-4, 2e-4, 2e-4, 1e-3, 1e-3, 1e-3, 1e-3)
"""Ridge on each term of the polynomial, for pages where few blocks show a grid; our default."""


class Fit(NamedTuple):
    """Settings of the robust polynomial fit.

    Attributes:
        far: residual of a slope at which the weight of an answer is halved.
        rounds: number of fits, each with the Cauchy weights of the previous residuals.
        ridge: factor of `RIDGE`.
    """

    far: float
    rounds: int
    ridge: float


BLOCKS, PHASES = Fit(0.01, 5, 1.0), Fit(0.003, 3, 0.01)
"""Settings for the blocks' own answers, and for the refinement by phase; our defaults."""


def find_sheet(image: Tensor, time_scale: Tensor, seconds: float) -> Sheet:
    """Estimate the geometry of the pages' sheets.

    Args:
        time_scale: approximate fraction of a sheet's width that the window takes. The flat
            coordinates are scaled so that it holds exactly.
        seconds: duration of the window.

    Shape:
        image: (B, 3, H, W); time_scale: (B,); the result carries no gradient to the image.
    """
    height, width = image.shape[-2:]
    as_it_is = polynomial(torch.eye(2, len(POWERS), dtype=torch.float64, device=image.device))
    if min(height, width) < FEWEST * BLOCK:
        table = as_it_is.expand(image.shape[0], -1, -1, -1)
        return Sheet(table, torch.zeros_like(time_scale, dtype=torch.bool), height / width)
    with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
        dark = _darkness(image)
        fields = [_search(dark, speed * seconds / (SQUARE_MM * time_scale.float() * width))
                  for speed in SPEEDS]  # fmt: skip
        a, b = (field.explained for field in fields)
        field = Field(*(torch.where((a >= b).reshape(-1, *[1] * (x.ndim - 1)), x, y)
                        for x, y in zip(*fields, strict=True)))  # fmt: skip
        shares, _ = _agree(field.slopes, field.wanted, field.weight, BLOCKS)
        for _ in range(REFINED):
            slopes, wanted, weight = _phases(dark, polynomial(shares), field.frequency)
            more, agreed = _agree(slopes, wanted, weight, PHASES)
            shares = shares + more
        far = (shares[:, 0, 0] - 1).abs()
        seen = (field.explained > EXPLAINED) & (agreed > AGREED + SCALE_PENALTY * far)
        table = torch.where(seen[:, None, None, None], polynomial(shares), as_it_is)
    return Sheet(table, seen, height / width)


class Field(NamedTuple):
    """Slopes of the sheet's coordinates, as measured in the blocks.

    Attributes:
        frequency: (B,), grid squares per pixel where the slope is 1.
        slopes: (1, 1, terms, M), slopes of the polynomial's terms at each of M measurements.
        wanted: (B, 2, M), measured slope of the sheet's coordinate across, and down.
        weight: (B, 2, M).
        explained: (B,), mean share of a block's variance that lines explain beyond `FAINT`.
    """

    frequency: Tensor
    slopes: Tensor
    wanted: Tensor
    weight: Tensor
    explained: Tensor


def _darkness(image: Tensor) -> Tensor:
    """Return (B, H, W): how much darker a pixel is than its surroundings, in levels of 255.

    Of the three channels the darkest counts, in which a coloured grid is most visible.
    """
    dark = (255 - image.float()).amax(1, keepdim=True)
    around = dark
    for size in ((25, 1), (1, 25)):  # separable: in one step it takes ONNX Runtime a second
        padding = (size[0] // 2, size[1] // 2)
        around = F.avg_pool2d(around, size, stride=1, padding=padding, count_include_pad=False)
    return (dark - around).clamp(-LEVELS, LEVELS)[:, 0]


def _window(like: Tensor) -> Tensor:
    hann = torch.hann_window(BLOCK, periodic=False, device=like.device)
    return hann[:, None] * hann


def _search(dark: Tensor, frequency: Tensor) -> Field:
    """Find the period and tilt of the lines in every block: the soft maximum of its spectrum."""
    blocks = _blocks(dark) * _window(dark)
    blocks = torch.stack([blocks, blocks.transpose(2, 3)], dim=1)  # lines down, lines across
    closer = torch.arange(-WIDEST, WIDEST + STEP / 2, STEP, device=dark.device)
    aslant = torch.arange(-TURN, TURN + STEP / 2, STEP, device=dark.device)
    pixels = torch.arange(BLOCK, device=dark.device) - (BLOCK - 1) / 2
    power = torch.zeros(())
    for repeats in REPEATS:
        turns = 2 * math.pi * repeats * frequency[:, None, None] * pixels  # (B, 1, BLOCK)
        phase = (turns * (1 + closer)[:, None])[:, None, None]
        cos, sin = blocks @ phase.cos().mT, blocks @ phase.sin().mT  # (B, 2, n, BLOCK, closer)
        phase = (turns * aslant[:, None])[:, None, None]
        real = phase.cos() @ cos - phase.sin() @ sin
        imaginary = phase.sin() @ cos + phase.cos() @ sin
        resolved = (repeats * frequency * FINEST < 1)[:, None, None, None, None]
        power = power + torch.where(resolved, real.square() + imaginary.square(), 0.0)
    power = power * (2 / BLOCK) ** 2 / blocks.square().sum((3, 4)).clamp(min=1e-3)[..., None, None]
    most = power.amax((3, 4))
    best = (SHARP * power / most.clamp(min=1e-9)[..., None, None]).flatten(3).softmax(3)
    best = best.unflatten(3, power.shape[3:])
    along, across = 1 + best.sum(3) @ closer, best.sum(4) @ aslant
    weight = (most - FAINT).clamp(min=0)
    wanted = torch.stack([torch.cat([along[:, 0], across[:, 0]], dim=1),
                          torch.cat([across[:, 1], along[:, 1]], dim=1)], dim=1)  # fmt: skip
    slopes = slope_terms(_spots(dark)).flatten(2, 3).transpose(0, 1).flatten(1)  # (terms, 2 n)
    return Field(frequency, slopes[None, None], wanted, weight.repeat(1, 1, 2), weight.mean((1, 2)))


def _phases(dark: Tensor, table: Tensor, frequency: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Measure slopes from the phase differences of the lines between neighbouring blocks.

    A perfect polynomial leaves no difference. Returns the slopes of the terms, the missing slope of
    the coordinates, and weights, as in `Field`.
    """
    height, width = dark.shape[1:]
    y, x = ((torch.arange(n, device=dark.device) - (n - 1) / 2) * (2 / width)
            for n in (height, width))  # fmt: skip
    squares = (powers(x) @ table.to(dark.dtype) @ powers(y).T).mT * (width / 2)
    squares = squares * frequency[:, None, None, None]
    terms, window = slope_terms(_spots(dark)), _window(dark)[None, None]
    slopes, wanted, weight = [], [], []
    for repeats in REPEATS:
        phase = 2 * math.pi * repeats * squares
        waves = torch.stack([phase.cos(), phase.sin()], dim=2) * dark[:, None, None]
        seen = F.conv2d(waves.flatten(0, 2)[:, None], window, stride=HOP)[:, 0]
        seen = seen.unflatten(0, waves.shape[:3])  # (B, 2, cosine and sine, rows, columns)
        cycles = repeats * frequency[:, None, None]
        for dim, by in ((4, 0), (3, 1)):  # to the right, and down
            count = seen.shape[dim] - 1
            (c, s), (next_c, next_s) = (seen.narrow(dim, k, count).unbind(2) for k in (0, 1))
            same, more = (c * next_c + s * next_s).flatten(2), (s * next_c - c * next_s).flatten(2)
            size = (same.square() + more.square()).sqrt() * repeats**2
            wanted.append(torch.atan2(more, same) / (2 * math.pi * HOP * cycles))
            weight.append(torch.where(cycles * FINEST < 1, size, 0.0))
            ends = [terms[by].narrow(dim - 2, k, count) for k in (0, 1)]
            slopes.append((0.5 * (ends[0] + ends[1])).flatten(1))
    return torch.cat(slopes, 1)[None, None], torch.cat(wanted, 2), torch.cat(weight, 2)


def _agree(slopes: Tensor, wanted: Tensor, weight: Tensor, fit: Fit) -> tuple[Tensor, Tensor]:
    """Return the polynomials, (B, 2, terms), and the share of weight that agrees on them, (B,)."""
    terms = slopes.expand(*wanted.shape[:2], -1, -1).flatten(0, 1).double()
    wanted, prior = wanted.flatten(0, 1).double(), weight.flatten(0, 1).double()
    ridge, counted = fit.ridge * terms.new_tensor(RIDGE) + 1e-9, prior
    for _ in range(fit.rounds):
        shares = least_squares(terms, wanted, counted, ridge)
        off = wanted - (shares[:, None] @ terms)[:, 0]
        counted = prior / (1 + (off / fit.far).square())
    agreed = (counted.sum(1) / prior.sum(1).clamp(min=1e-9)).unflatten(0, (-1, 2))
    return shares.unflatten(0, (-1, 2)), agreed.amin(1)


def _blocks(dark: Tensor) -> Tensor:
    """Return (B, n, BLOCK, BLOCK): overlapping blocks, each of four tiles of half its size."""
    rows, columns = (n // HOP for n in dark.shape[1:])
    tiles = dark[:, : rows * HOP, : columns * HOP].unflatten(2, (columns, HOP))
    tiles = tiles.unflatten(1, (rows, HOP))  # (B, rows, HOP, columns, HOP)
    pairs = torch.cat([tiles[:, :-1], tiles[:, 1:]], dim=2)
    blocks = torch.cat([pairs[:, :, :, :-1], pairs[:, :, :, 1:]], dim=4)
    return blocks.transpose(2, 3).flatten(1, 2)


def _spots(dark: Tensor) -> Tensor:
    """Return (rows, columns, 2), the middles of the blocks relative to the middle of the image.

    The unit is half the image's width.
    """
    size = dark.shape[1:]
    y, x = ((torch.arange(HOP, n - HOP + 1, HOP, device=dark.device) - n / 2) * (2 / size[1])
            for n in size)  # fmt: skip
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
