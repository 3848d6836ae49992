"""A teacher network that is the exponential moving average of its student."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError


def cosine_momentum(step: int, steps: int, *, base: float = 0.996, final: float = 1.0) -> float:
    """Compute a momentum that goes from `base` to `final` along half a cosine (Grill et al. 2020).

    Args:
        step: steps done; beyond `steps` the momentum stays at `final`.
        steps: steps of the whole training.
        base: 0.996 (Grill et al.; Caron et al. 2021). With `final` equal to `base` the momentum is
            constant, as in Phan et al. (arXiv 2210.06297).

    Raises:
        ConfigError: for a momentum outside [0, 1], `steps` below 1 or a negative `step`.
    """
    _check(base)
    _check(final)
    if steps < 1 or step < 0:
        raise ConfigError("a schedule needs steps >= 1 and step >= 0", value=(step, steps))
    done = min(step / steps, 1.0)
    return final - (final - base) * (1 + math.cos(math.pi * done)) / 2


def _check(momentum: float) -> None:
    if not 0 <= momentum <= 1:
        raise ConfigError("a momentum must lie between 0 and 1", value=momentum)


class EMATeacher(nn.Module):
    """Copy of a student whose parameters are a moving average and whose buffers are copies.

    The copy has no gradients and must stay outside the optimizer and DDP. In training mode, its
    batch norms use the statistics of their batch, as in the public code of DINO with convolutional
    networks. Its running statistics are those of the student, since every update copies them.

    Args:
        student: any module. Later changes reach the teacher only through `update`.
        momentum: m of `update` where none is given; 0.996 (Phan et al., arXiv 2210.06297).

    Raises:
        ConfigError: for a momentum outside [0, 1].
    """

    def __init__(self, student: nn.Module, momentum: float = 0.996) -> None:
        super().__init__()
        _check(momentum)
        self.momentum = momentum
        self.model = copy.deepcopy(student).requires_grad_(False)

    @torch.no_grad()
    def update(self, student: nn.Module, momentum: float | None = None) -> None:
        """Set each parameter to `m teacher + (1 - m) student` and each buffer to the student's.

        Raises:
            ConfigError: for a momentum outside [0, 1], or a student of another structure.
        """
        m = self.momentum if momentum is None else momentum
        _check(m)
        ours, theirs = dict(self.model.named_parameters()), dict(student.named_parameters())
        kept, given = dict(self.model.named_buffers()), dict(student.named_buffers())
        if _shapes(ours | kept) != _shapes(theirs | given):
            different = sorted(set(_shapes(ours | kept)) ^ set(_shapes(theirs | given)))
            raise ConfigError(
                "student and teacher are built differently",
                value=[name for name, _ in different[:3]],
                remedy="Pass the module that the teacher was copied from",
            )
        mine: list[Tensor] = list(ours.values())
        torch._foreach_mul_(mine, m)
        torch._foreach_add_(mine, [theirs[name].detach() for name in ours], alpha=1 - m)
        for name, buffer in kept.items():
            buffer.copy_(given[name])

    @torch.no_grad()
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.model(*args, **kwargs)


def _shapes(tensors: dict[str, Tensor]) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(tensor.shape)) for name, tensor in tensors.items()]
