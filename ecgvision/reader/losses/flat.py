"""Losses of the two networks that read flat pages."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.reader.layout.maps import MARKS

MARK_FOCUS, NO_MARK_WEIGHT = 2.0, 0.5
"""Exponent of the focal loss (Lin et al. 2017) of marks, and the weight of cells without one."""

ROW_WEIGHT, EDGE_WEIGHT = 2.0, 5.0
"""Weights of cells that belong to a row, or to a start or end: they are few."""

SHARES = {"marks": 1.0, "rows": 2.0, "offset": 0.3, "edges": 2.0}
TRACE_SHARES = {"density": 1.0, "height": 0.2, "printed": 1.0, "snr": 0.4}
"""Weights of the parts; our defaults."""

SPREAD, AROUND = 0.7, 3
"""Standard deviation of the wanted density in pixels, and how far it reaches."""

MOST = 40.0
"""Error in pixels above which a column counts no more: it follows another trace altogether."""

FEWEST, NOISE, QUIET = 60, 0.02, 4.0
"""Columns from which a strip has a signal-to-noise ratio; power in pixels squared that is added to
the error and to the signal, so that flat traces do not count beyond what can be read."""


def mark_loss(
    found: tuple[Tensor, Tensor], kind: Tensor, row: Tensor, offset: Tensor, start: Tensor,
    end: Tensor,
) -> dict[str, Tensor]:  # fmt: skip
    """Return the parts of a `MarkNet`'s loss; for the truth see `MarkCrops`."""
    marks, other = found
    log = marks.log_softmax(1).gather(1, kind[:, None])[:, 0]
    positive = kind < len(MARKS)
    focal = -((1 - log.exp()) ** MARK_FOCUS) * log * torch.where(positive, 1.0, NO_MARK_WEIGHT)
    known = ~offset.isnan()
    off = torch.where(known, (other[:, 1] - offset.nan_to_num()).abs(), 0.0)
    edges = [_cross_entropy(other[:, k], edge, EDGE_WEIGHT) for k, edge in ((2, start), (3, end))]
    return {
        "marks": focal.sum() / positive.sum().clamp(min=1),
        "rows": _cross_entropy(other[:, 0], row, ROW_WEIGHT),
        "offset": off.sum() / known.sum().clamp(min=1),
        "edges": sum(edges, torch.zeros(())),
    }


def trace_loss(found: tuple[Tensor, Tensor], y: Tensor) -> dict[str, Tensor]:
    """Return the parts of a `TraceNet`'s loss; for the truth see `StripCrops`."""
    logit, printed = found
    height = logit.shape[1]
    inside = (y > 2) & (y < height - 2)  # False where y is NaN
    target = torch.where(inside, y, 0.0)
    log = logit.log_softmax(1)
    near = torch.arange(-AROUND, AROUND + 1, device=y.device)[:, None]
    rows = (target.floor().long()[:, None] + near).clamp(0, height - 1)
    wanted = torch.exp(-0.5 * ((rows + 0.5 - target[:, None]) / SPREAD).square())
    density = -(wanted / wanted.sum(1, keepdim=True) * log.gather(1, rows)).sum(1)
    middles = torch.arange(height, dtype=log.dtype, device=y.device) + 0.5
    mean = torch.einsum("bhw,h->bw", log.exp(), middles)
    count = inside.sum().clamp(min=1)
    known = inside | y.isnan()  # a trace beyond the strip teaches nothing
    seen = F.binary_cross_entropy_with_logits(printed, inside.to(printed.dtype), reduction="none")
    return {
        "density": torch.where(inside, density, 0.0).sum() / count,
        "height": torch.where(inside, (mean - target).abs().clamp(max=MOST), 0.0).sum() / count,
        "printed": torch.where(known, seen, 0.0).sum() / known.sum().clamp(min=1),
        "snr": _snr(mean, target, inside),
    }


def _snr(mean: Tensor, target: Tensor, inside: Tensor) -> Tensor:
    """Return the log of the error's power over the signal's, the mean over strips."""
    count = inside.sum(1).clamp(min=1)
    level = torch.where(inside, target, 0.0).sum(1) / count
    error = torch.where(inside, (mean - target).square(), 0.0).sum(1) / count
    signal = torch.where(inside, (target - level[:, None]).square(), 0.0).sum(1) / count
    ratio = ((error + NOISE) / (signal + QUIET)).log()
    used = inside.sum(1) > FEWEST
    return torch.where(used, ratio, 0.0).sum() / used.sum().clamp(min=1)


def _cross_entropy(logit: Tensor, wanted: Tensor, weight: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logit, wanted, pos_weight=logit.new_tensor(weight))
