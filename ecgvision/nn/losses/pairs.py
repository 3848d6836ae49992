"""Distillation between configurable pairs of streams, shared by all systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor
from torch.nn import functional as F

from ecgvision.nn.losses.distillation import bernoulli_kl
from ecgvision.nn.losses.pair_settings import Reduction, mutual, named_pairs

__all__ = ["Distillation", "mutual"]


class Distillation:
    """Distillation loss from the logits of teacher streams to those of student streams.

    A pair is written `<teacher>_to_<student>`. The teacher of a pair gets no gradient. Two pairs
    in both directions let two streams learn from each other.

    Args:
        weights: weight of each pair, not negative; pairs of weight 0 are left out.
        kind: `bernoulli` (per-label KL of probabilities) or `mse` (of logits).
        temperature: temperature of `bernoulli`.
        reduction: reduction of `bernoulli` over labels, `mean` or `sum`; see `bernoulli_kl`.
        streams: names of the existing streams.

    Raises:
        ConfigError: for a pair of unknown streams, or invalid settings.
    """

    def __init__(
        self, weights: Mapping[str, float], *, kind: str = "bernoulli", temperature: float = 1.0,
        reduction: Reduction = "mean", streams: Sequence[str],
    ) -> None:  # fmt: skip
        self.kind, self.temperature, self.reduction = kind, temperature, reduction
        self.pairs = named_pairs(
            weights, kind=kind, temperature=temperature, reduction=reduction, streams=streams
        )

    def __call__(self, logits: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted loss of each pair, keyed `kd_<pair>`.

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
