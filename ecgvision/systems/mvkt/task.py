"""Training of a student of few leads with a frozen 12-lead teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError
from ecgvision.nn.losses.features import FeatureDistillation
from ecgvision.nn.losses.pairs import Distillation
from ecgvision.nn.signal_net import SignalNet
from ecgvision.nn.training.task import BaseTask, Batch
from ecgvision.nn.training.teacher import Teacher
from ecgvision.systems.mvkt.contrastive import ContrastiveTransfer


class MvktTask(BaseTask):
    """MVKT-ECG task (Qin et al. 2023).

    `L = bce_weight * BCE + distillation + clt_weight * CLT + feature_weight * feature KD`.
    The paper's MKD is the distillation from `teacher` to `student`.

    Args:
        student: network of the student's leads.
        teacher: frozen network; its logits are the stream `teacher`.
        distillation: between the two streams; its weights may be empty.
        contrastive: CLT over the training set, or None.
        features: feature distillation, the alternative in the literature, or None.
        row_of: row in the training set by the records' `index`, for CLT.
        weights: weights `bce`, `clt` and `feature`.
        Others: see `BaseTask`.

    Raises:
        ConfigError: for a negative weight, or if no weight is positive.
    """

    def __init__(
        self, student: SignalNet, teacher: Teacher, *, distillation: Distillation,
        contrastive: ContrastiveTransfer | None, features: FeatureDistillation | None,
        row_of: Mapping[int, int], weights: Mapping[str, float], **base: Any,
    ) -> None:  # fmt: skip
        super().__init__(student, ("student", "teacher"), **base)
        self.teacher, self.distillation = teacher, distillation
        self.contrastive, self.features = contrastive, features
        self.weights = dict(weights)
        given = [*self.weights.values(), *(weight for *_, weight in distillation.pairs.values())]
        if min(given) < 0 or not max(given) > 0:
            raise ConfigError("weights of a loss must not be negative, and one be positive",
                              value=self.weights)  # fmt: skip
        table = torch.full((max(row_of, default=0) + 1,), -1, dtype=torch.int64)
        for index, row in row_of.items():
            table[index] = row
        self.row_of = table  # not a buffer: weight averaging could change it

    def compute(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        student: Any = self.model
        features = student.features(batch["value"], batch["observed"])
        index = batch["index"] if self.training else None  # only training views are cached
        taught, answer = self.teacher(batch["value"], batch["observed"], index)
        logits = {"student": student.head(features), "teacher": answer}
        bce = F.binary_cross_entropy_with_logits(logits["student"].float(), batch["target"])
        parts = {"bce": self.weights["bce"] * bce} | self.distillation(logits)
        if self.features is not None:
            parts["feature"] = self.weights["feature"] * self.features(features, taught)
        if self.contrastive is not None and self.training:
            self.row_of = self.row_of.to(batch["index"].device)
            rows = self.row_of[batch["index"]]
            parts["clt"] = self.weights["clt"] * self.contrastive(features, taught, rows)
            self.log_dict({
                "train/clt_few_negatives": self.contrastive.fallbacks[0].float(),
                "train/clt_no_negatives": self.contrastive.fallbacks[1].float(),
            })  # fmt: skip
        return logits, parts
