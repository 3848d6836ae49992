"""Training of VizECGNet: classification of every stream, and distillation between two."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from ecgvision.ecg import ConfigError
from ecgvision.losses.distillation import Direction, mutual_distillation
from ecgvision.models.vizecg import VizECGNet
from ecgvision.tasks.base import BaseTask, Batch


class VizECGTask(BaseTask):
    """`L = sum of BCE over streams + kd_weight * L_KD(image, signal)`; weights 1 as Nam et al.

    Args:
        model: the network; its ablation switches decide which streams there are.
        kd_weight: 0 turns distillation off.
        kd_temperature, kd_direction, kd_kind: see `mutual_distillation`.
        Others: see `BaseTask`.
    """

    def __init__(
        self, model: VizECGNet, streams: tuple[str, ...], *, kd_weight: float = 1.0,
        kd_temperature: float = 1.0, kd_direction: Direction = "symmetric",
        kd_kind: str = "bernoulli", **base: Any,
    ) -> None:  # fmt: skip
        super().__init__(model, streams, **base)
        if kd_weight < 0:
            raise ConfigError("loss.kd_weight must not be negative", value=kd_weight)
        self.kd_weight = kd_weight
        self.kd: dict[str, Any] = {
            "temperature": kd_temperature, "direction": kd_direction, "kind": kd_kind
        }  # fmt: skip

    def compute(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        with_signal = "signal" in self.streams
        logits = self.model(
            batch.get("image"),
            batch["signal"] if with_signal else None,
            batch["observed"] if with_signal else None,
        )
        parts = {
            f"bce_{stream}": F.binary_cross_entropy_with_logits(z.float(), batch["target"])
            for stream, z in logits.items()
        }
        if self.kd_weight and "image" in logits and "signal" in logits:
            kd = mutual_distillation(logits["image"], logits["signal"], **self.kd)
            parts["kd"] = self.kd_weight * kd
        return logits, parts
