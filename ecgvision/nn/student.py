"""The student: the image path of a trained model with its post-processing as buffers.

What is exported is what was evaluated: normalisation, temperature and thresholds are part of
the module, so they travel with its weights and into ONNX.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Student(nn.Module):
    """Page in; raw logits, calibrated probabilities and decisions out.

    Args:
        tower: (B, 3, H, W) uint8 to (B, N, width) tokens.
        head: (B, N, width) to (B, C) logits.
        image_size: (H, W).
        temperature: divides the logits before the sigmoid; fitted on validation.
        thresholds: C probabilities, fitted on validation; a label is positive at or above.

    Shape:
        image: (B, 3, H, W) uint8; result: three (B, C) tensors: float32 logits, float32
        probabilities, bool decisions.
    """

    temperature: Tensor
    thresholds: Tensor

    def __init__(
        self,
        tower: nn.Module,
        head: nn.Module,
        *,
        image_size: Sequence[int],
        temperature: float,
        thresholds: Sequence[float],
    ) -> None:
        super().__init__()
        self.tower = tower
        self.head = head
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.register_buffer("temperature", torch.tensor(float(temperature)))
        self.register_buffer("thresholds", torch.tensor(list(thresholds), dtype=torch.float32))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = self.head(self.tower(image))
        probabilities = torch.sigmoid(logits / self.temperature)
        return logits, probabilities, probabilities >= self.thresholds
