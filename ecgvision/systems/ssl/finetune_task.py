"""Fine-tuning on crops: a loss per crop in training, one prediction per record in evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.nn.training.task import BaseTask, Batch
from ecgvision.systems.ssl.network import GatedNet


def pooled(z: Tensor, present: Tensor) -> Tensor:
    """Return the logit of the mean probability over crops, computed in the log domain.

    Shape:
        z: (B, K, C) logits; present: (B, K) bool, at least one True per record;
        result: (B, C) float32.
    """
    away = torch.where(present, 0.0, float("-inf")).unsqueeze(-1)
    z = z.float()
    return torch.logsumexp(F.logsigmoid(z) + away, 1) - torch.logsumexp(F.logsigmoid(-z) + away, 1)


class FinetuneTask(BaseTask):
    """Fine-tuning task: binary cross-entropy, summed over the streams.

    Args:
        model: network that reads crops in mV.
        probe: freeze the encoders, including their batch norms; train only heads and gate.
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
            encoder.eval()  # batch norms are frozen too

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
            if self.training:  # crops without observed samples are left out
                target = target.unsqueeze(1).expand_as(z)[batch["present"]]
                z = z[batch["present"]].float()
            else:
                z = logits[stream]
            parts[f"bce_{stream}"] = F.binary_cross_entropy_with_logits(z, target)
        return logits, parts


def encoders(model: GatedNet) -> dict[str, Any]:
    """Return the encoders of a network by modality."""
    named = {"time": "time_encoder", "spectrogram": "spectrogram_encoder"}
    return {kind: getattr(model, name) for kind, name in named.items() if hasattr(model, name)}
