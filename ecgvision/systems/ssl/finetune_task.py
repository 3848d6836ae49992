"""Fine-tuning on crops: the loss of every crop in training, one answer a record in evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.nn.training.task import BaseTask, Batch
from ecgvision.systems.ssl.network import GatedNet


def pooled(z: Tensor, present: Tensor) -> Tensor:
    """The logit of the mean probability over crops, without leaving the logarithms.

    Shape:
        z: (B, K, C) logits; present: (B, K) bool, True at least once a record;
        result: (B, C) float32.
    """
    away = torch.where(present, 0.0, float("-inf")).unsqueeze(-1)
    z = z.float()
    return torch.logsumexp(F.logsigmoid(z) + away, 1) - torch.logsumexp(F.logsigmoid(-z) + away, 1)


class FinetuneTask(BaseTask):
    """Binary cross-entropy, summed over the streams.

    Args:
        model: reads crops in mV.
        probe: encoders stay as they are, their batch norms too; the heads and the gate learn.
        Others: see `BaseTask`.
    """

    def __init__(self, model: GatedNet, *, probe: bool = False, **base: Any) -> None:
        super().__init__(model, model.streams, **base)
        self.frozen = encoders(model) if probe else {}
        for encoder in self.frozen.values():
            encoder.requires_grad_(False)

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        for encoder in self.frozen.values():
            encoder.eval()  # nor do its batch norms learn

    def compute(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        crops = batch["signal"]
        gated = getattr(self.model, "fusion", None) == "gate"
        found = self.model(crops.flatten(0, 1), gate=gated)
        if gated and self.training:
            self.log("train/gate_time", found["gate"][:, 0].detach().mean())
        logits, parts = {}, {}
        for stream in self.streams:
            z, target = found[stream].unflatten(0, crops.shape[:2]), batch["target"]  # (B, K, C)
            logits[stream] = pooled(z, batch["present"])
            if self.training:  # a crop without any sample says nothing of the record
                target = target.unsqueeze(1).expand_as(z)[batch["present"]]
                z = z[batch["present"]].float()
            else:
                z = logits[stream]
            parts[f"bce_{stream}"] = F.binary_cross_entropy_with_logits(z, target)
        return logits, parts


def encoders(model: GatedNet) -> dict[str, Any]:
    """The encoders of a network by modality."""
    named = {"time": "time_encoder", "spectrogram": "spectrogram_encoder"}
    return {kind: getattr(model, name) for kind, name in named.items() if hasattr(model, name)}
