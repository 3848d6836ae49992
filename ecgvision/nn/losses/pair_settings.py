"""Settings of distillation between streams; imports nothing slow, so they can be checked first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ecgvision.core.errors import ConfigError

KINDS = ("bernoulli", "mse")
DIRECTIONS = ("signal_to_image", "image_to_signal")
Reduction = Literal["mean", "sum"]
REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum")


def named_pairs(
    weights: Mapping[str, float], *, kind: str = "bernoulli", temperature: float = 1.0,
    reduction: str = "mean", streams: Sequence[str],
) -> dict[str, tuple[str, str, float]]:  # fmt: skip
    """Return teacher, student and weight of each pair `<teacher>_to_<student>` of nonzero weight.

    Args:
        weights, kind, temperature, reduction, streams: see `pairs.Distillation`.

    Raises:
        ConfigError: for a pair of unknown streams, or invalid settings.
    """
    if kind not in KINDS:
        raise ConfigError(f"loss.kd_kind must be one of {KINDS}", value=kind)
    if not temperature > 0:
        raise ConfigError("loss.kd_temperature must be positive", value=temperature)
    if reduction not in REDUCTIONS:
        raise ConfigError(f"loss.kd_reduction must be one of {REDUCTIONS}", value=reduction)
    if not isinstance(weights, Mapping):
        raise ConfigError("loss.distill holds weights of pairs", value=weights)
    pairs: dict[str, tuple[str, str, float]] = {}
    for name, weight in weights.items():
        teacher, _, student = name.partition("_to_")
        if teacher not in streams or student not in streams or teacher == student:
            raise ConfigError("loss.distill names a pair that there is not", value=name,
                              remedy=f"A pair is A_to_B of {', '.join(streams)}")  # fmt: skip
        if not weight >= 0:
            raise ConfigError(f"the weight of {name} must not be negative", value=weight)
        if weight:
            pairs[name] = teacher, student, float(weight)
    return pairs


def mutual(weight: float, direction: str) -> dict[str, float]:
    """Return the pair weights of VizECGNet's two streams.

    Args:
        direction: a pair of streams, or `symmetric`: both pairs with half the weight each.

    Raises:
        ConfigError: for another direction.
    """
    if direction == "symmetric":
        return dict.fromkeys(DIRECTIONS, weight / 2)
    if direction not in DIRECTIONS:
        raise ConfigError(f"loss.kd_direction must be symmetric or one of {DIRECTIONS}",
                          value=direction)  # fmt: skip
    return {direction: weight}
