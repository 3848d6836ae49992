"""A trained network of signals with its preparation of the input and its post-processing.

What is exported is therefore what was evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecgvision.core.ecg import LEADS
from ecgvision.data.patch_settings import FLAT_MV, PatchSettings


class SignalStudent(nn.Module):
    """Predicts raw logits, calibrated probabilities and decisions from a partly observed signal.

    Args:
        network: takes `value` and `observed`, both (B, 12, P, L), and returns logits by stream.
        stream: whose logits are taken.
        cut: how a window becomes patches.
        leads: names of the leads that the network uses.
        temperature, thresholds: see `Student`.

    Shape:
        signal: (B, 12, T) float32 mV, any finite value where not observed; observed: the same,
        bool. Result: three (B, C) tensors: float32 logits, float32 probabilities, bool decisions.
    """

    temperature: Tensor
    thresholds: Tensor

    def __init__(
        self, network: nn.Module, stream: str, *, cut: PatchSettings,
        leads: Sequence[str] = LEADS, temperature: float, thresholds: Sequence[float],
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.stream, self.cut, self.leads = network, stream, cut, tuple(leads)
        self.register_buffer("temperature", torch.tensor(float(temperature)))
        self.register_buffer("thresholds", torch.tensor(list(thresholds), dtype=torch.float32))

    def forward(self, signal: Tensor, observed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value = torch.where(observed, signal, 0.0)
        if self.cut.normalise == "record":
            value = torch.where(observed, _normalised(value, observed), 0.0)
        answer = getattr(self.network, "dense", self.network)  # without control flow, for export
        logits = answer(self._patches(value), self._patches(observed))[self.stream].float()
        probabilities = torch.sigmoid(logits / self.temperature)
        return logits, probabilities, probabilities >= self.thresholds

    def _patches(self, samples: Tensor) -> Tensor:
        if self.cut.patches == 1:
            return samples[:, :, None, : self.cut.patch_length]
        parts = [samples[..., k * self.cut.stride :][..., : self.cut.patch_length]
                 for k in range(self.cut.patches)]  # fmt: skip
        return torch.stack(parts, dim=2)


def _normalised(value: Tensor, observed: Tensor) -> Tensor:
    """Centre and scale all leads together; see `patch_settings.normalise_record`."""
    count = observed.sum((1, 2), keepdim=True).clamp(min=1)
    centred = value - value.sum((1, 2), keepdim=True) / count
    spread = (torch.where(observed, centred, 0.0).square().sum((1, 2), keepdim=True) / count).sqrt()
    return centred / torch.where(spread > FLAT_MV, spread, 1.0)
