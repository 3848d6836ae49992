"""Distillation between streams that a user names: one mechanism for every system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor
from torch.nn import functional as F

from ecgvision.ecg import ConfigError
from ecgvision.losses.distillation import REDUCTIONS, Reduction, bernoulli_kl

KINDS = ("bernoulli", "mse")


class Distillation:
    """Pulls the logits of student streams towards those of teacher streams.

    A pair is written `<teacher>_to_<student>`. In a pair the teacher gets no gradient; two pairs
    in both directions let two streams learn from each other.

    Args:
        weights: of each pair, not negative; pairs of weight 0 are left out.
        kind: `bernoulli` (per-label KL of probabilities) or `mse` (of logits).
        temperature: of `bernoulli`.
        reduction: of `bernoulli` over labels, `mean` or `sum`; see `bernoulli_kl`.
        streams: that there are.

    Raises:
        ConfigError: for a pair of streams that there are not, or settings that make no sense.
    """

    def __init__(
        self, weights: Mapping[str, float], *, kind: str = "bernoulli", temperature: float = 1.0,
        reduction: Reduction = "mean", streams: Sequence[str],
    ) -> None:  # fmt: skip
        if kind not in KINDS:
            raise ConfigError(f"loss.kd_kind must be one of {KINDS}", value=kind)
        if not temperature > 0:
            raise ConfigError("loss.kd_temperature must be positive", value=temperature)
        if reduction not in REDUCTIONS:
            raise ConfigError(f"loss.kd_reduction must be one of {REDUCTIONS}", value=reduction)
        self.kind, self.temperature, self.reduction = kind, temperature, reduction
        if not isinstance(weights, Mapping):
            raise ConfigError("loss.distill holds weights of pairs", value=weights)
        self.pairs: dict[str, tuple[str, str, float]] = {}
        for name, weight in weights.items():
            teacher, _, student = name.partition("_to_")
            if teacher not in streams or student not in streams or teacher == student:
                raise ConfigError("loss.distill names a pair that there is not", value=name,
                                  remedy=f"A pair is A_to_B of {', '.join(streams)}")  # fmt: skip
            if not weight >= 0:
                raise ConfigError(f"the weight of {name} must not be negative", value=weight)
            if weight:
                self.pairs[name] = teacher, student, float(weight)

    def __call__(self, logits: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weighted loss of each pair, under `kd_<pair>`.

        Args:
            logits: (B, C) by stream.
        """
        return {
            f"kd_{name}": weight * self._divergence(logits[teacher], logits[student])
            for name, (teacher, student, weight) in self.pairs.items()
        }

    def _divergence(self, teacher: Tensor, student: Tensor) -> Tensor:
        if self.kind == "mse":
            return F.mse_loss(student.float(), teacher.detach().float())
        return bernoulli_kl(
            teacher, student, temperature=self.temperature, reduction=self.reduction
        )


def mutual(weight: float, direction: str) -> dict[str, float]:
    """The pairs of VizECGNet's two streams: `symmetric` is the mean of both directions.

    Raises:
        ConfigError: for another direction.
    """
    both = ("signal_to_image", "image_to_signal")
    if direction == "symmetric":
        return dict.fromkeys(both, weight / 2)
    if direction not in both:
        raise ConfigError(f"loss.kd_direction must be symmetric or one of {both}", value=direction)
    return {direction: weight}
