"""Reductions across the processes of a distributed run; the identity in a single process."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist


def processes() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the rank of this process."""
    return dist.get_rank() if processes() > 1 else 0


def summed(x: Tensor) -> Tensor:
    """Return the sum over all processes, without gradient."""
    x = x.detach().clone()
    if processes() > 1:
        dist.all_reduce(x)
    return x


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(processes())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return summed(grads[0]).chunk(processes())[rank()]


def gathered(x: Tensor) -> Tensor:
    """Gather (B, ...) of every process to (processes * B, ...), in order of rank.

    B must be the same in all processes. Gradients from all processes are summed.
    """
    return _Gather.apply(x) if processes() > 1 else x
