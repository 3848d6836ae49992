"""AdamW with a warm-up and a cosine, as every task trains."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn


def cosine_with_warmup(step: int, *, total: int, warmup: int) -> float:
    """Factor of the learning rate: linear up over `warmup` steps, then half a cosine to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))


def adamw(
    model: nn.Module, steps: int, *, lr: float, weight_decay: float, warmup: float, fused: bool
) -> dict[str, Any]:
    """Lightning's answer of `configure_optimizers` for all weights that are trained.

    Args:
        steps: of the whole training.
        weight_decay: of matrices and kernels; biases, norms and other vectors are not decayed.
        warmup: fraction of the steps in which the rate rises.
        fused: one kernel steps all weights.
    """
    weights = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=lr, fused=fused)
    rising = max(1, round(warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: cosine_with_warmup(step, total=steps, warmup=rising)
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
