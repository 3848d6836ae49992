"""The optimizer and learning rate schedule of all tasks."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ecgvision.nn.training.optimizer_settings import DROP, OptimizerSettings

__all__ = ["DROP", "OptimizerSettings", "make_optimizer"]


def make_optimizer(
    model: nn.Module, steps: int, settings: OptimizerSettings, *, fused: bool
) -> dict[str, Any]:
    """Return optimizer and schedule for all trained weights, as `configure_optimizers` needs.

    Args:
        steps: optimizer steps of the complete training.
        fused: use the fused optimizer, one kernel for all weights.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    optimizer = kind(groups, lr=settings.lr, fused=fused)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: settings.factor(step, steps)
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
