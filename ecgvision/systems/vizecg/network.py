"""VizECGNet: an image stream and a signal stream trained together (Nam et al., ICIP 2024).

Only the abstract is public, so the internals are our default, in two variants:

- A1: the image path never sees the signal, so image-only inference is exact. The signal stream
  attends to the image tokens through CMAM, in evaluation too. Its logits therefore depend on both
  inputs and are named `signal+image`. A fused head reads the tokens of both streams (after CMAM,
  if there is one) and trains the image tower on both.
- A2: both streams pass through CMAM. In training, CMAM is skipped for each record and stream with
  probability one half; at inference it is always skipped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.ecg import LEADS
from ecgvision.nn.attention import CMAM, SMAM
from ecgvision.nn.image_encoders.image_encoder import image_encoder
from ecgvision.nn.signal_encoders import signal_encoder
from ecgvision.nn.signal_net import SignalInput
from ecgvision.systems.vizecg.streams import SIGNAL_AND_IMAGE, Streams, check_streams, stream_names

__all__ = ["SIGNAL_AND_IMAGE", "VizECGNet", "stream_names"]


SIGNAL_TOKENS = 64
"""Most tokens of a signal; our default: of ten seconds each is then 160 ms, shorter than a beat."""


class ImageTower(nn.Module):
    """Encodes a page as tokens: backbone, 1x1 projection, learned position embedding, SMAM.

    Shape:
        image: (B, 3, H, W) uint8; result: (B, N, width).
    """

    def __init__(
        self,
        encoder: str,
        size: Sequence[int],
        *,
        width: int,
        heads: int,
        dropout: float,
        pretrained: bool,
        smam: bool,
    ) -> None:
        super().__init__()
        self.encoder = image_encoder(encoder, size, pretrained=pretrained)
        self.project = nn.Conv2d(self.encoder.channels, width, 1)
        rows, columns = self.encoder.grid
        self.position = nn.Parameter(torch.randn(1, rows * columns, width) * 0.02)
        self.smam = SMAM(width, heads=heads, dropout=dropout) if smam else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        x = self.project(self.encoder(image)).flatten(2).transpose(1, 2)
        return self.smam(x + self.position)


class SignalTower(nn.Module):
    """Encodes a signal as tokens: `SignalInput`, 1-D network, mean over neighbouring steps if there
    are more than `SIGNAL_TOKENS`, position embedding, SMAM.

    Shape:
        signal: (B, 12, T) mV; observed: (B, 12, T) bool; result: (B, N, width).
    """

    def __init__(
        self, encoder: str, length: int, *, width: int, heads: int, dropout: float, smam: bool
    ) -> None:
        super().__init__()
        self.input = SignalInput(len(LEADS))
        self.encoder = signal_encoder(encoder)
        self.project = nn.Conv1d(int(self.encoder.channels), width, 1)  # type: ignore[arg-type]
        with torch.no_grad():
            steps = self.encoder.eval()(torch.zeros(1, len(LEADS), length)).shape[-1]
        self.encoder.train()
        self.pooled = math.ceil(steps / SIGNAL_TOKENS)
        tokens = math.ceil(steps / self.pooled)
        self.position = nn.Parameter(torch.randn(1, width, tokens) * 0.02)
        self.smam = SMAM(width, heads=heads, dropout=dropout) if smam else nn.Identity()

    def forward(self, signal: Tensor, observed: Tensor) -> Tensor:
        x = self.encoder(self.input(signal, observed))
        x = F.avg_pool1d(x, self.pooled, ceil_mode=True)
        return self.smam((self.project(x) + self.position).transpose(1, 2))


class Head(nn.Module):
    """Classification head: mean over tokens, layer norm, dropout, one linear layer.

    Shape:
        tokens: (B, N, width); result: (B, C).
    """

    def __init__(self, width: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Dropout(dropout), nn.Linear(width, labels)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layers(tokens.mean(1))


class VizECGNet(nn.Module):
    """Image and signal streams with SMAM, CMAM and one head per stream.

    Args:
        labels: number of labels C.
        image_size: (H, W) of the pages.
        signal_length: samples T of the signal stream.
        image_encoder, pretrained: see `image_encoder`.
        signal_encoder: a name of `SIGNAL_ENCODERS`.
        width: channels of the tokens. Our default 128 suits the small default networks.
        variant: `A1` or `A2`, see the module docstring.
        smam: use self-modal attention in each tower.
        cmam: use cross-modal attention, including its MLP, between the towers.
        fused: use a head over both towers, with its own loss, in variant A1. Without `cmam` it
            reads the towers' own tokens.
        streams: `both`, or one stream alone (without CMAM and the other tower).

    Shape:
        image: (B, 3, H, W) uint8 or None; signal: (B, 12, T) float32 mV or None;
        observed: (B, 12, T) bool, default all but NaN.
        Result: dict of (B, C) logits by stream, see `stream_names`; for a single input only its
        own stream, `image` or `signal`.

    Raises:
        ConfigError: for an unknown variant or stream.
    """

    def __init__(
        self,
        labels: int,
        *,
        image_size: Sequence[int],
        signal_length: int,
        image_encoder: str = "tracenet",
        signal_encoder: str = "resnet1d_lite",
        pretrained: bool = False,
        width: int = 128,
        heads: int = 8,
        dropout: float = 0.1,
        variant: str = "A1",
        smam: bool = True,
        cmam: bool = True,
        fused: bool = True,
        streams: Streams = "both",
    ) -> None:
        super().__init__()
        check_streams(streams, variant)
        self.variant = variant
        common: dict[str, Any] = {"width": width, "heads": heads, "dropout": dropout}
        if streams != "signal":
            self.image_tower = ImageTower(
                image_encoder, image_size, pretrained=pretrained, smam=smam, **common
            )
            self.image_head = Head(width, labels, dropout)
        if streams != "image":
            self.signal_tower = SignalTower(signal_encoder, signal_length, smam=smam, **common)
            self.signal_head = Head(width, labels, dropout)
        self.crossed = cmam and streams == "both"
        if self.crossed:
            self.signal_asks = CMAM(width, heads=heads, dropout=dropout)
            if fused or variant == "A2":
                self.image_asks = CMAM(width, heads=heads, dropout=dropout)
        self.fused = fused and streams == "both" and variant == "A1"
        if self.fused:
            self.fused_head = Head(2 * width, labels, dropout)

    def forward(
        self,
        image: Tensor | None = None,
        signal: Tensor | None = None,
        observed: Tensor | None = None,
    ) -> dict[str, Tensor]:
        page = self.image_tower(image) if image is not None else None
        beat = None
        if signal is not None:
            observed = ~signal.isnan() if observed is None else observed
            beat = self.signal_tower(signal, observed)
        if page is None or beat is None:
            return self._alone(page, beat)
        if self.crossed and self.variant == "A2":
            return self._alone(
                self._cross(self.image_asks, page, beat), self._cross(self.signal_asks, beat, page)
            )
        asked_signal = self.signal_asks(beat, page) if self.crossed else beat
        name = SIGNAL_AND_IMAGE if self.crossed else "signal"
        logits = {"image": self.image_head(page), name: self.signal_head(asked_signal)}
        if self.fused:
            asked_image = self.image_asks(page, beat) if self.crossed else page
            both = torch.cat([asked_image.mean(1), asked_signal.mean(1)], dim=-1).unsqueeze(1)
            logits["fused"] = self.fused_head(both)
        return logits

    def _alone(self, page: Tensor | None, beat: Tensor | None) -> dict[str, Tensor]:
        logits = {}
        if page is not None:
            logits["image"] = self.image_head(page)
        if beat is not None:
            logits["signal"] = self.signal_head(beat)
        return logits

    def _cross(self, cmam: CMAM, x: Tensor, y: Tensor) -> Tensor:
        if not self.training:
            return x
        keep = torch.rand(x.shape[0], 1, 1, device=x.device) < 0.5
        return torch.where(keep, cmam(x, y), x)
