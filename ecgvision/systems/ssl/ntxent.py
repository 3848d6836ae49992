"""Losses of two views without prototypes: NT-Xent of SimCLR and the regression of BYOL.

Both agree with those of the package lightly, and stay in float32 under mixed precision: at a
temperature of 0.1, bfloat16 would round logits near 10 to steps of 0.06.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.training.distributed import gathered, rank


def _check(*pairs: Tensor) -> None:
    shapes = [tuple(x.shape) for x in pairs]
    if any(shape != shapes[0] for shape in shapes) or len(shapes[0]) != 2:
        raise DataError("both views' projections must be (B, D)", value=shapes)


def ntxent(first: Tensor, second: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Compute the normalised temperature-scaled cross-entropy (Chen et al. 2020, eq. 1).

    For each of the 2 B projections, the loss classifies which of all others is the other view of
    the same record, by cosine similarity. In a distributed run, the others are those of all
    processes. Gradients that are averaged over processes, as DDP does, then equal those of one
    process with the whole batch. Source: arXiv 2002.05709.

    Args:
        temperature: 0.1 (Phan et al., arXiv 2210.06297, public code).

    Shape:
        first, second: (B, D), of the same records in the same order, two records or more over
        all processes; result: scalar.

    Raises:
        ConfigError: for a temperature that is not positive.
        DataError: for shapes that differ, or a single record.
    """
    if not 0 < temperature < float("inf"):
        raise ConfigError("loss.temperature must be positive", value=temperature)
    _check(first, second)
    with torch.autocast(first.device.type, enabled=False):
        own = F.normalize(torch.stack([first, second]).float(), dim=-1)  # (2, B, D)
        batch = own.shape[1]
        everyone = gathered(own.transpose(0, 1)).transpose(0, 1).flatten(0, 1)  # (2 N, D)
        total = len(everyone) // 2
        if total < 2:
            raise DataError("NT-Xent needs two records or more in a batch", value=total)
        at = rank() * batch + torch.arange(batch, device=own.device)
        itself, partner = torch.cat([at, at + total]), torch.cat([at + total, at])
        logits = own.flatten(0, 1) @ everyone.T / temperature
        logits = logits.scatter(1, itself.unsqueeze(1), float("-inf"))
        return F.cross_entropy(logits, partner)


def byol(predictions: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor]) -> Tensor:
    """Compute the symmetric regression loss of BYOL (Grill et al. 2020, arXiv 2006.07733, eq. 2).

    The loss is the mean over records of `2 - 2 cos(prediction of one view, target of the other)`,
    summed over the two assignments of the views. Targets get no gradient.

    Args:
        predictions: outputs of the online network's predictor for the first and second view.
        targets: outputs of the target network's projector for the first and second view.

    Shape:
        each: (B, D); result: scalar.

    Raises:
        DataError: for shapes that differ.
    """
    _check(*predictions, *targets)
    with torch.autocast(predictions[0].device.type, enabled=False):
        both = [
            2 - 2 * F.cosine_similarity(p.float(), t.detach().float(), dim=-1).mean()
            for p, t in zip(predictions, reversed(targets), strict=True)
        ]
        return both[0] + both[1]
