"""Inputs of pretraining: turn a batch into views on its device, and the branch that reads them.

A `Branch` is the trained module. Its `backbone` is the encoder used for fine-tuning; its `head` is
discarded.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ecgvision.nn.standardise import Standardise
from ecgvision.systems.ssl.spectrogram import Spectrogram
from ecgvision.systems.ssl.views.images import ImageViews
from ecgvision.systems.ssl.views.signals import SpectrogramViews, TimeViews


class TimeInput(nn.Module):
    """Views of crops in mV, standardised afterwards because their noise is defined in mV.

    Shape:
        batch["signal"]: (B, K, 12, L) mV; result: (views, B K, 12, L).
    """

    def __init__(self, views: TimeViews) -> None:
        super().__init__()
        self.views = views
        self.standardise = Standardise()

    def quantity(self, signal: Tensor) -> Tensor:
        """Return the values to standardise: the signals (B, 12, L) themselves."""
        return signal

    def forward(self, batch: dict[str, Tensor], seed: int) -> Tensor:
        found = self.views(batch["signal"].flatten(0, 1), seed)
        return self.standardise(found.flatten(0, 1)).unflatten(0, found.shape[:2])


class SpectrogramInput(nn.Module):
    """Views of standardised spectrograms; a cut-out of zeros is then the mean.

    Shape:
        batch["signal"]: (B, K, 12, L) mV; result: (views, B K, 12, bins, frames).
    """

    def __init__(self, views: SpectrogramViews, *, rate: float) -> None:
        super().__init__()
        self.views = views
        self.quantity = Spectrogram(rate=rate)
        self.standardise = Standardise()

    def forward(self, batch: dict[str, Tensor], seed: int) -> Tensor:
        spectrogram = self.quantity(batch["signal"].flatten(0, 1))
        return self.views(self.standardise(spectrogram), seed)


class PageInput(nn.Module):
    """Views of pages, without standardisation: the encoder normalises its input.

    Shape:
        batch["image"]: (B, 3, H, W) uint8; result: (views, B, 3, H, W) uint8.
    """

    def __init__(self, views: ImageViews) -> None:
        super().__init__()
        self.views = views

    def forward(self, batch: dict[str, Tensor], seed: int) -> Tensor:
        return self.views(batch["image"], seed)


class Branch(nn.Module):
    """An encoder, average pooling over the remaining dimensions, and a head.

    Shape:
        x: input of the backbone, (N, ...); result: features (N, F) and output of the head (N, D).
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def features(self, x: Tensor) -> Tensor:
        """Return the pooled features, (N, F)."""
        found: Any = self.backbone(x)
        return found.flatten(2).mean(-1) if found.ndim > 2 else found

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(x)
        return features, self.head(features)


@torch.no_grad()
def count_features(backbone: nn.Module, example: Tensor) -> int:
    """Return the number of features F of an encoder, from a forward pass of an example (1, ...)."""
    training = backbone.training
    found = Branch(backbone.eval(), nn.Identity()).features(example)
    backbone.train(training)
    return int(found.shape[1])
