"""Training of VizECGNet: classification of every stream, and distillation between streams."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from ecgvision.nn.losses.pairs import Distillation
from ecgvision.nn.training.task import BaseTask, Batch
from ecgvision.nn.training.teacher import Teacher
from ecgvision.systems.vizecg.network import VizECGNet


class VizECGTask(BaseTask):
    """VizECGNet task: `L = sum of BCE over streams + distillation`, weights 1 as Nam et al.

    Args:
        model: the network; its settings determine the streams.
        distillation: between its streams, and from `teacher` if given.
        teacher: a frozen signal network; it is not evaluated.
        Others: see `BaseTask`.
    """

    def __init__(
        self, model: VizECGNet, streams: tuple[str, ...], *, distillation: Distillation,
        teacher: Teacher | None = None, **base: Any,
    ) -> None:  # fmt: skip
        super().__init__(model, streams, **base)
        self.distillation, self.teacher = distillation, teacher

    def compute(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        with_signal = self.streams != ("image",)
        logits = self.model(
            batch.get("image"),
            batch["signal"] if with_signal else None,
            batch["observed"] if with_signal else None,
        )
        parts = {
            f"bce_{stream}": F.binary_cross_entropy_with_logits(z.float(), batch["target"])
            for stream, z in logits.items()
        }
        answers = {stream.partition("+")[0]: z for stream, z in logits.items()}
        if self.teacher is not None:
            index = batch["index"] if self.training else None  # only training views are cached
            _, answers["teacher"] = self.teacher(batch["signal"], batch["observed"], index)
        return logits, parts | self.distillation(answers)
