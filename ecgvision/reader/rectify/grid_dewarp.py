"""How the sheet lies in its picture, told by the grid that is printed on it.

A grid is the same everywhere on paper: where its lines stand closer, or aslant, the paper lies
farther away, or turned. Block by block the picture is asked for the period and the turn of its
lines, the answers of all blocks are brought under one polynomial of the third degree, as a
photograph from the side and a sheet that curls want it, and that is refined by the phases that the
lines have in neighbouring blocks. Our own design; the phases are those of fringe analysis (Takeda,
Ina and Kobayashi 1982).
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
"""mm/s that papers run at; the one whose grid is seen better is taken."""

SQUARE_MM = 5.0

REPEATS = (1, 2, 5)
"""Thick lines and thin ones repeat once, twice and five times in 5 mm; our choice."""

FINEST = 2.2
"""Pixels of the finest lines that are looked for; finer than 2 shows as something coarser."""

HOP = 48
BLOCK = 2 * HOP
"""Pixels of a block and from one to the next, our defaults: 40 mm of a page on 768 pixels. Blocks
that do not overlap take half the time, and lose one grid in twenty."""

FEWEST = 3
"""Blocks that must fit side by side into the picture either way: fewer say nothing of a bend."""

WIDEST, TURN, STEP = 0.14, 0.14, 0.01
"""How far from the given time scale a block's lines are looked for, and how far from upright, as a
fraction of their frequency, and in which steps; our defaults, beyond what a camera held 20 degrees
aslant does to a page."""

SHARP = 20.0
"""The best of a block is the mean of a softmax over all, of their strength over the greatest, times
this: our default. A greatest alone would jump from one to the next by the last digit."""

FAINT, LEVELS = 0.03, 15.0
"""Share of a block's variance that lines must explain to count at all, and the levels of 255 that
one pixel may count, so that print is no stronger than the grid; our defaults. Grids explain .1 or
more, and what was mistaken for one up to .03."""

REFINED = 2
"""How often phases are read; our default: the second time changes the scale by .01 % or less."""

AGREED, SURPRISE, TOLD = 0.45, 3.5, 0.01
"""A grid is held to be seen where that share of its answers agree in the end, and as many times the
share that its scale is off the given one more, and where it explains that much of the variance
beyond `FAINT`, in the mean over blocks; our defaults. Pages without a grid come to .4, and what is
taken for a grid of another scale, to .65."""

RIDGE = (0.0, 0.0, 2e-4, 2e-4, 2e-4, 1e-3, 1e-3, 1e-3, 1e-3)
"""What holds each of them near 0 where few blocks tell; our default."""


class Fit(NamedTuple):
    """How answers are brought under one polynomial.

    Attributes:
        far: error of a slope at which an answer counts half.
        rounds: fits, each with the weights that the residuals before give (Cauchy's).
        ridge: how much of `RIDGE` holds it.
    """

    far: float
    rounds: int
    ridge: float


BLOCKS, PHASES = Fit(0.01, 5, 1.0), Fit(0.003, 3, 0.01)
"""Of what blocks say by themselves, and of what the phases add; our defaults."""


def find_sheet(image: Tensor, time_scale: Tensor, seconds: float) -> Sheet:
    """How the pages' sheets lie.

    Args:
        time_scale: the fraction of a sheet's width that the window takes, nearly: its points are
            then of such a size that it is exactly so.
        seconds: of the window.

    Shape:
        image: (B, 3, H, W); time_scale: (B,); the result is without gradient to the image.
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
        a, b = (field.told for field in fields)
        field = Field(*(torch.where((a >= b).reshape(-1, *[1] * (x.ndim - 1)), x, y)
                        for x, y in zip(*fields, strict=True)))  # fmt: skip
        shares, _ = _agree(field.slopes, field.wanted, field.weight, BLOCKS)
        for _ in range(REFINED):
            slopes, wanted, weight = _phases(dark, polynomial(shares), field.frequency)
            more, agreed = _agree(slopes, wanted, weight, PHASES)
            shares = shares + more
        far = (shares[:, 0, 0] - 1).abs()
        seen = (field.told > TOLD) & (agreed > AGREED + SURPRISE * far)
        table = torch.where(seen[:, None, None, None], polynomial(shares), as_it_is)
    return Sheet(table, seen, height / width)


class Field(NamedTuple):
    """What the blocks say of the slopes of the sheet's points.

    Attributes:
        frequency: (B,), squares a pixel, where the slope is 1.
        slopes: (1, 1, terms, M), of the terms, for each of M answers.
        wanted: (B, 2, M), the slope of the sheet's point across, and down.
        weight: (B, 2, M).
        told: (B,), mean of the share of a block's variance that lines explain beyond `FAINT`.
    """

    frequency: Tensor
    slopes: Tensor
    wanted: Tensor
    weight: Tensor
    told: Tensor


def _darkness(image: Tensor) -> Tensor:
    """(B, H, W), levels of 255 that a pixel is darker than those around it, of the channel that
    sees a coloured grid best."""
    dark = (255 - image.float()).amax(1, keepdim=True)
    around = dark
    for size in ((25, 1), (1, 25)):  # ONNX Runtime takes a second for both at once
        padding = (size[0] // 2, size[1] // 2)
        around = F.avg_pool2d(around, size, stride=1, padding=padding, count_include_pad=False)
    return (dark - around).clamp(-LEVELS, LEVELS)[:, 0]


def _window(like: Tensor) -> Tensor:
    hann = torch.hann_window(BLOCK, periodic=False, device=like.device)
    return hann[:, None] * hann


def _search(dark: Tensor, frequency: Tensor) -> Field:
    """The period and turn of the lines of every block: the greatest power of its spectrum."""
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
        told = (repeats * frequency * FINEST < 1)[:, None, None, None, None]
        power = power + torch.where(told, real.square() + imaginary.square(), 0.0)
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
    """Slopes, what they ought to be more, and weights as in `Field`, from how the phase of the
    lines differs between neighbouring blocks where it ought to be one."""
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
        told = repeats * frequency[:, None, None]
        for dim, by in ((4, 0), (3, 1)):  # to the right, and down
            count = seen.shape[dim] - 1
            (c, s), (next_c, next_s) = (seen.narrow(dim, k, count).unbind(2) for k in (0, 1))
            same, more = (c * next_c + s * next_s).flatten(2), (s * next_c - c * next_s).flatten(2)
            size = (same.square() + more.square()).sqrt() * repeats**2
            wanted.append(torch.atan2(more, same) / (2 * math.pi * HOP * told))
            weight.append(torch.where(told * FINEST < 1, size, 0.0))
            ends = [terms[by].narrow(dim - 2, k, count) for k in (0, 1)]
            slopes.append((0.5 * (ends[0] + ends[1])).flatten(1))
    return torch.cat(slopes, 1)[None, None], torch.cat(wanted, 2), torch.cat(weight, 2)


def _agree(slopes: Tensor, wanted: Tensor, weight: Tensor, fit: Fit) -> tuple[Tensor, Tensor]:
    """The polynomials, (B, 2, terms), and (B,), the share of the weight that agrees on them."""
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
    """(B, n, BLOCK, BLOCK): of tiles of half a block the four that meet in a corner."""
    rows, columns = (n // HOP for n in dark.shape[1:])
    tiles = dark[:, : rows * HOP, : columns * HOP].unflatten(2, (columns, HOP))
    tiles = tiles.unflatten(1, (rows, HOP))  # (B, rows, HOP, columns, HOP)
    pairs = torch.cat([tiles[:, :-1], tiles[:, 1:]], dim=2)
    blocks = torch.cat([pairs[:, :, :, :-1], pairs[:, :, :, 1:]], dim=4)
    return blocks.transpose(2, 3).flatten(1, 2)


def _spots(dark: Tensor) -> Tensor:
    """(rows, columns, 2), the middles of the blocks, from the picture's, in halves of its width."""
    size = dark.shape[1:]
    y, x = ((torch.arange(HOP, n - HOP + 1, HOP, device=dark.device) - n / 2) * (2 / size[1])
            for n in size)  # fmt: skip
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
