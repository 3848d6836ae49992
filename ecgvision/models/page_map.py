"""A page as a map of features that knows what stands around each cell, and where the cell is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.ecg import ConfigError
from ecgvision.models.image_encoder import TRACENET, ImageEncoder
from ecgvision.models.trace_encoder import TraceEncoder


def sine_positions(rows: int, columns: int, width: int) -> Tensor:
    """(width, rows, columns): sines and cosines of y in one half of the channels, of x in the rest.

    Wave lengths fall geometrically from twice the page to two cells (Vaswani et al. 2017, section
    3.5, in two dimensions as Carion et al. 2020), so that neighbours can be told apart.

    Raises:
        ConfigError: for a width that four does not divide.
    """
    if width % 4:
        raise ConfigError("model.width must be a multiple of 4", value=width)
    half = []
    for count in (rows, columns):
        place = (torch.arange(count) + 0.5) / count
        octaves = torch.linspace(0, math.log2(max(count, 2)), width // 4)
        phase = math.pi * place * 2.0 ** octaves[:, None]
        half.append(torch.cat([phase.sin(), phase.cos()]))
    y = half[0][:, :, None].expand(-1, -1, columns)
    x = half[1][:, None, :].expand(-1, rows, -1)
    return torch.cat([y, x])


class _Waves(nn.Module):
    """Both scales of a `TraceEncoder`: waves by band, and the network along the columns.

    Shape:
        image: (B, 3, H, W) uint8; result: (B, 32, 12, W / 4) and (B, 128, 1, W / 8).
    """

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        self.encoder = TraceEncoder(size)
        self.channels = (32, self.encoder.channels)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        encoder = self.encoder
        with torch.autocast(image.device.type, enabled=False):  # moments want all their digits
            moments = encoder.moments(image)
        waves = encoder.waves(moments.contiguous(memory_format=torch.channels_last))
        rows = F.relu(encoder.places(encoder.fold(waves.flatten(1, 2))))
        return waves, encoder.blocks(rows).unsqueeze(2)


def _stages(network: nn.Module) -> Any:
    """timm's table of a network's feature maps; torch types every attribute as a module."""
    return network.feature_info


class _Stages(nn.Module):
    """Two scales of a timm network: at the stride wanted, and the last.

    Shape:
        image: (B, 3, H, W) uint8; result: (B, C, H / stride, W / stride) and (B, C', H', W').
    """

    def __init__(self, name: str, size: Sequence[int], stride: int, *, pretrained: bool) -> None:
        super().__init__()
        self.encoder = ImageEncoder(name, size, pretrained=pretrained)
        strides = _stages(timm.create_model(name, features_only=True)).reduction()
        if stride not in strides or stride == strides[-1]:
            finer = sorted(set(strides) - {strides[-1]})
            raise ConfigError(f"{name} has no features at model.stride above its last",
                              value=stride, remedy=f"It has them at {finer}")  # fmt: skip
        both = timm.create_model(
            name, features_only=True, out_indices=(strides.index(stride), len(strides) - 1)
        )
        both.load_state_dict(self.encoder.backbone.state_dict())
        # in the encoder's place, so that its weights keep the names that a diagnosis loads
        self.encoder.backbone = both.to(memory_format=torch.channels_last)
        first, last = _stages(both).channels()
        self.channels = (int(first), int(last))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        encoder = self.encoder
        x = (image.float() / 255 - encoder.mean) / encoder.std
        fine, deep = encoder.backbone(x.contiguous(memory_format=torch.channels_last))
        return fine, deep


class PageMap(nn.Module):
    """One map of two scales: fine cells that know their surroundings and their place.

    The deep features are laid over the fine ones, positions are added, and a convolution lets
    place, print and surroundings meet. So every weight of the encoder takes part in reading, and
    what a diagnosis starts from has learned all of it.

    Args:
        name: `tracenet`, or any timm network with features at several strides.
        size: (height, width) of the pages.
        width: channels of the map.
        stride: of a timm network's fine features; of no account for `tracenet`.

    Shape:
        image: (B, 3, height, width) uint8; result: (B, width, rows, columns), `grid` its last two.

    Raises:
        ConfigError: for an unknown network, or one without features at that stride.
    """

    positions: Tensor

    def __init__(
        self, name: str, size: Sequence[int], width: int, *, stride: int = 8,
        pretrained: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if name == TRACENET and pretrained:
            raise ConfigError("there are no pretrained weights", value=name,
                              remedy="Set model.pretrained=false")  # fmt: skip
        self.scales: _Waves | _Stages
        if name == TRACENET:
            self.scales = _Waves(size)
        else:
            self.scales = _Stages(name, size, stride, pretrained=pretrained)
        fine, deep = self.scales.channels
        self.fine = nn.Conv2d(fine, width, 1)
        self.deep = nn.Conv2d(deep, width, 1)
        self.merge = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
            nn.ReLU(),
        )  # fmt: skip
        was_training = self.training
        with torch.no_grad():
            blank = torch.zeros(1, 3, int(size[0]), int(size[1]), dtype=torch.uint8)
            found = self.eval().scales(blank)[0]
        self.train(was_training)
        self.grid: tuple[int, int] = (found.shape[2], found.shape[3])
        self.register_buffer("positions", sine_positions(*self.grid, width), persistent=False)

    @property
    def encoder(self) -> TraceEncoder | ImageEncoder:
        """What is kept when reading has been learned: the network that a diagnosis builds on."""
        return self.scales.encoder

    def forward(self, image: Tensor) -> Tensor:
        fine, deep = self.scales(image)
        around = F.interpolate(self.deep(deep), size=self.grid, mode="bilinear")
        return self.merge(self.fine(fine) + around + self.positions)
