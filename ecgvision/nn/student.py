"""The student: the image path of a trained model, with its post-processing as buffers.

Normalisation, temperature and thresholds are part of the module, so they are saved with its weights
and exported to ONNX. The exported model is therefore the one that was evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Student(nn.Module):
    """Predicts raw logits, calibrated probabilities and decisions from a page.

    Args:
        tower: (B, 3, H, W) uint8 to (B, N, width) tokens.
        head: (B, N, width) to (B, C) logits.
        image_size: (H, W).
        standard: whether it sees standard pages; see `ecgvision.data.standard_page`.
        temperature: divides the logits before the sigmoid; fitted on validation records.
        thresholds: C probabilities, fitted on validation records; a label is positive at or above.

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
        standard: bool = False,
    ) -> None:
        super().__init__()
        self.tower = tower
        self.head = head
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.standard = standard
        self.register_buffer("temperature", torch.tensor(float(temperature)))
        self.register_buffer("thresholds", torch.tensor(list(thresholds), dtype=torch.float32))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = self.head(self.tower(image))
        probabilities = torch.sigmoid(logits / self.temperature)
        return logits, probabilities, probabilities >= self.thresholds
