"""Settings of the optimizer; imports nothing slow, so that they can be checked first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ecgvision.core.errors import ConfigError

NAMES = ("adamw", "adam")
SCHEDULES = ("cosine", "step", "constant")

DROP = 0.1
"""Factor of the learning rate at each milestone (PatchECG's and MVKT-ECG's public code)."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Settings of the optimizer and its schedule.

    Attributes:
        lr: peak learning rate.
        weight_decay: applied to matrices and kernels; biases, norms and other vectors have none.
        warmup: fraction of all steps in which the rate rises.
        name: `adamw`, or `adam` (decay as a part of the gradient, as in the public code of PatchECG
            and MVKT-ECG).
        schedule: `cosine` down to 0; `step`, times `DROP` at each milestone; `constant`.
        milestones: milestones of `step`, as fractions of all steps.

    Raises:
        ConfigError: for a value out of range or an unknown name.
    """

    lr: float
    weight_decay: float
    warmup: float = 0.1
    name: str = "adamw"
    schedule: str = "cosine"
    milestones: Sequence[float] = ()

    def __post_init__(self) -> None:
        if not (self.lr > 0 and self.weight_decay >= 0 and 0 <= self.warmup < 1):
            raise ConfigError(
                "optimizer.lr must be positive, weight_decay not negative and warmup in [0, 1)",
                value=(self.lr, self.weight_decay, self.warmup),
            )
        if self.name not in NAMES:
            raise ConfigError("optimizer.name must be adamw or adam", value=self.name)
        if self.schedule not in SCHEDULES:
            raise ConfigError("optimizer.schedule must be cosine, step or constant",
                              value=self.schedule)  # fmt: skip
        if not all(0 < m < 1 for m in self.milestones):
            raise ConfigError("optimizer.milestones are fractions between 0 and 1",
                              value=list(self.milestones))  # fmt: skip

    def factor(self, step: int, total: int) -> float:
        """Return the learning rate factor: linear warm-up, then the schedule."""
        rising = round(self.warmup * total)
        if step < rising:
            return (step + 1) / rising
        if self.schedule == "cosine":
            return 0.5 * (
                1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, total - rising)))
            )
        if self.schedule == "step":
            return DROP ** sum(step >= milestone * total for milestone in self.milestones)
        return 1.0
