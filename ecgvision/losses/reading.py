"""What reading a page costs: the waveform, what was printed at all, where, and Einthoven's law."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.data.variation import LIMB
from ecgvision.ecg import LEADS, DataError

LOG_SCALES = (-5.0, 3.0)
"""The log of a Laplace scale in mV is held between these, our default: 0.007 mV is below a tenth
of a pixel of any page, and 20 mV beyond any lead; outside, gradients only grow."""


def laplace_nll(signal: Tensor, log_scale: Tensor, target: Tensor, printed: Tensor) -> Tensor:
    """Mean over printed samples of `|e| / b + log 2b`, the negative log of a Laplace density.

    The heavy tails of the density forgive the sample that was read from a neighbour's trace
    (Kendall and Gal 2017, section 3, use it for regression on pictures). No printed sample: 0.

    Args:
        signal: what was read, in mV.
        log_scale: log b, held within `LOG_SCALES`.
        target: what was printed, in mV; of no account where nothing was.
        printed: bool.

    Shape:
        all (B, 12, T); result: scalar, float32.

    Raises:
        DataError: for shapes that differ.
    """
    _same(signal=signal, log_scale=log_scale, target=target, printed=printed)
    log_b = log_scale.float().clamp(*LOG_SCALES)
    error = _error(signal, target, printed).abs()
    terms = error * (-log_b).exp() + log_b + math.log(2)
    return _mean(terms, printed)


def huber(signal: Tensor, target: Tensor, printed: Tensor, *, delta: float = 0.1) -> Tensor:
    """Mean over printed samples of Huber's loss over `delta`: `e^2 / 2 delta`, then `|e|`-like.

    Args:
        delta: mV; our default is a millimetre of paper, above which a sample counts as misread.

    Shape:
        all (B, 12, T); result: scalar, float32.
    """
    _same(signal=signal, target=target, printed=printed)
    error = _error(signal, target, printed)
    terms = F.huber_loss(error, torch.zeros_like(error), reduction="none", delta=delta) / delta
    return _mean(terms, printed)


def presence_bce(logits: Tensor, printed: Tensor) -> Tensor:
    """Binary cross-entropy of every sample: was it printed?

    Shape:
        logits, printed: (B, 12, T); result: scalar, float32.
    """
    _same(logits=logits, printed=printed)
    return F.binary_cross_entropy_with_logits(logits.float(), printed.float())


def _relations() -> Tensor:
    """(20, 6): for every three limb leads the sum that is 0, its largest factor 1."""
    rows = []
    for trio in itertools.combinations(range(6), 3):
        a, b, c = (LIMB[i].astype(np.float64) for i in trio)
        factors = np.array([b[0] * c[1] - b[1] * c[0], c[0] * a[1] - c[1] * a[0],
                            a[0] * b[1] - a[1] * b[0]])  # fmt: skip
        row = np.zeros(6)
        row[list(trio)] = factors / np.abs(factors).max()
        rows.append(row)
    return torch.from_numpy(np.stack(rows)).float()


RELATIONS = _relations()
"""Limb leads lie in one plane, so any three of them obey a linear law: Einthoven's
I - II + III = 0, Goldberger's aVR + aVL + aVF = 0, and the eighteen between them."""


def einthoven(signal: Tensor, printed: Tensor) -> Tensor:
    """How far the limb leads that were read miss their laws: mean absolute sum in mV.

    A law counts at a sample where its three leads were printed at that moment; there the true sum
    is 0, so the loss needs no target. No such sample: 0.

    Shape:
        signal: (B, 12, T) mV; printed: (B, 12, T) bool; result: scalar, float32.
    """
    _same(signal=signal, printed=printed)
    relations = RELATIONS.to(signal.device)
    sums = torch.einsum("rl,blt->brt", relations, signal[:, :6].float())
    absent = torch.einsum("rl,blt->brt", (relations != 0).float(), (~printed[:, :6]).float())
    return _mean(sums.abs(), absent == 0)


def place_loss(points: Tensor, place: Tensor, printed: Tensor) -> Tensor:
    """Mean distance, in x plus in y, of where samples were looked for from where they are.

    Shape:
        points, place: (B, 12, T, 2) as fractions of the image; printed: (B, 12, T) bool, place may
        be NaN where it is False; result: scalar, float32.
    """
    _same(points=points, place=place)
    _same(place=place[..., 0], printed=printed)
    gap = (points.float() - place.float().nan_to_num()).abs().sum(-1)
    return _mean(gap, printed)


def where_nll(where: Tensor, place: Tensor, printed: Tensor) -> Tensor:
    """Cross-entropy of the map on which each patch was looked for, at the middle of its print.

    The truth is shared among the four cells of the map around that point as in bilinear
    interpolation.

    Args:
        where: log-probabilities over the map's cells, which divide the image evenly.
        place, printed: of the samples of each patch, as in `place_loss`.

    Shape:
        where: (B, 12, P, rows, columns); place: (B, 12, P, L, 2); printed: (B, 12, P, L);
        result: scalar, float32, mean over patches with a printed sample.
    """
    _same(place=place[..., 0], printed=printed)
    _same(where=where[..., 0, 0], printed=printed[..., 0])
    rows, columns = where.shape[-2:]
    count = printed.sum(-1)
    middle = (place.float().nan_to_num() * printed[..., None]).sum(-2)
    middle = middle / count.clamp(min=1)[..., None]  # (B, 12, P, 2)
    x = (middle[..., 0] * columns - 0.5).clamp(0, columns - 1)
    y = (middle[..., 1] * rows - 0.5).clamp(0, rows - 1)
    flat, terms = where.flatten(-2), torch.zeros_like(x)
    for down, right in itertools.product((0, 1), repeat=2):
        row, column = y.floor() + down, x.floor() + right
        weight = (1 - (y - row).abs()) * (1 - (x - column).abs())
        cell = row.clamp(max=rows - 1) * columns + column.clamp(max=columns - 1)
        found = flat.gather(-1, cell.long()[..., None])[..., 0]
        terms = terms - weight * found
    return _mean(terms, count > 0)


def _error(signal: Tensor, target: Tensor, printed: Tensor) -> Tensor:
    # nothing may come of a NaN, not even a gradient times 0
    return torch.where(printed, signal.float() - target.float().nan_to_num(), 0.0)


def _mean(terms: Tensor, counts: Tensor) -> Tensor:
    return torch.where(counts, terms, 0.0).sum() / counts.sum().clamp(min=1)


def _same(**tensors: Tensor) -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    first = next(iter(shapes.values()))
    if len(set(shapes.values())) != 1 or len(first) < 3 or first[1] != len(LEADS):
        raise DataError("reading losses need tensors of one shape (B, 12, ...)", value=shapes)
