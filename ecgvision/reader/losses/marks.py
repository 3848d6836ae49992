"""What it costs where names and pulses are not known for what they are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.reader.data.marks import NO_MARK

BESIDE = 1.0
"""Cells to either side, above and below the middle of a mark that know it: four, our default."""


def mark_truth(place: Tensor, mark: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B, rows, columns) int64: which mark each cell stands by, `NO_MARK` of none.

    Args:
        place: (B, M, 2), x and y as fractions of the image, NaN of no mark.
        mark: (B, M) int64, which it is.
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
    """Cross-entropy of cells that stand by a mark, and of those that do not, each in the mean, as
    one cell of a hundred does.

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
