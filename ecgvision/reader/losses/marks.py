"""Targets and loss for printed lead names and calibration pulses."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.reader.data.marks import NO_MARK

BESIDE = 1.0
"""Maximum distance in cells, across and down, at which a cell is assigned to a mark: four cells per
mark; our default."""


def mark_truth(place: Tensor, mark: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return (B, rows, columns) int64: the mark of each cell, `NO_MARK` for none.

    Args:
        place: (B, M, 2), x and y as fractions of the image, NaN for no mark.
        mark: (B, M) int64, class of each mark.
        grid: (rows, columns).
    """
    rows, columns = grid
    y = torch.arange(rows, device=place.device) + 0.5
    x = torch.arange(columns, device=place.device) + 0.5
    down = (place[..., 1, None] * rows - y).abs()  # (B, M, rows)
    along = (place[..., 0, None] * columns - x).abs()
    far = torch.maximum(down[..., None], along[:, :, None])
    far = torch.where(far.isnan(), torch.inf, far)
    nearest, which = far.min(1)
    answer = mark.gather(1, which.flatten(1)).view_as(which)
    return torch.where(nearest < BESIDE, answer, NO_MARK)


def mark_loss(logits: Tensor, place: Tensor, mark: Tensor) -> Tensor:
    """Class-balanced cross-entropy: mean over cells near a mark plus mean over all others.

    Only one cell of a hundred is near a mark.

    Args:
        logits: (B, NO_MARK + 1, rows, columns).
        place, mark: see `mark_truth`.
    """
    rows, columns = logits.shape[2:]
    truth = mark_truth(place, mark, (rows, columns))
    terms = F.cross_entropy(logits.float(), truth, reduction="none")
    by = truth != NO_MARK
    return sum(
        (torch.where(part, terms, 0.0).sum() / part.sum().clamp(min=1) for part in (by, ~by)),
        torch.zeros((), device=terms.device),
    )
