"""Feature maps of a page: fine ones of the print, and a coarse one with full-page context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError
from ecgvision.nn.encoder_names import READNET, check_page_reader
from ecgvision.nn.image_encoders.image_encoder import ImageEncoder
from ecgvision.nn.image_encoders.page_context import PageContext
from ecgvision.nn.image_encoders.readnet import STRIDE, ReadEncoder
from ecgvision.reader.networks.print_net import Printed, PrintNet

STRIDES = (4, 8, STRIDE)
"""Strides of the maps, in pixels."""


def _stages(network: nn.Module) -> Any:
    """Return timm's table of a network's feature maps; torch types every attribute as a module."""
    return network.feature_info


def _at_strides(
    name: str, size: Sequence[int], *, pretrained: bool
) -> tuple[ImageEncoder, list[int]]:
    """Return a timm encoder with maps at `STRIDES` and its deepest one, and the maps' channels."""
    encoder = ImageEncoder(name, size, pretrained=pretrained)
    strides = _stages(timm.create_model(name, features_only=True)).reduction()
    if not set(STRIDES) < set(strides):
        raise ConfigError(
            f"{name} cannot learn to read: it needs features at strides "
            f"{', '.join(map(str, STRIDES))} and a deeper one", value=strides,
        )  # fmt: skip
    wanted = (*(strides.index(s) for s in STRIDES), len(strides) - 1)
    whole = timm.create_model(name, features_only=True, out_indices=wanted)
    whole.load_state_dict(encoder.backbone.state_dict())
    # replaced in place, so that the weights keep the names that a classifier loads
    encoder.backbone = whole.to(memory_format=torch.channels_last)
    return encoder, [int(c) for c in _stages(whole).channels()]


class _Top(nn.Module):
    """Add a timm network's deepest map to the one at stride 16, then apply a `PageContext`.

    Shape:
        maps: the four of `_at_strides`; beside, result: (B, width, rows, columns).
    """

    def __init__(
        self, channels: Sequence[int], width: int, grid: tuple[int, int], dropout: float
    ) -> None:
        super().__init__()
        self.fine, self.deep = nn.Conv2d(channels[2], width, 1), nn.Conv2d(channels[3], width, 1)
        self.context = PageContext(width, grid, dropout=dropout)

    def forward(self, maps: Sequence[Tensor], beside: Tensor) -> Tensor:
        around = F.interpolate(self.deep(maps[3]), size=maps[2].shape[2:], mode="bilinear")
        return self.context(F.relu(self.fine(maps[2]) + around) + beside)


class PageMap(nn.Module):
    """Feature maps of a page at strides 4, 8 and 16, the last one with context from the full page.

    All weights of `encoder` are used. A classifier that starts from them therefore starts from
    everything that was learned, except the output of `PrintNet`, which it does not receive.

    Args:
        name: `readnet`, or a timm network with features at those strides.
        size: (height, width) of the pages, multiples of 16.
        width: channels of the last map.

    Shape:
        image: (B, 3, height, width) uint8; result: three maps (B, channels, rows, columns) and the
        `Printed` of a `PrintNet`. `channels` holds the channels of the maps, and `grid` the (rows,
        columns) of the last one.

    Raises:
        ConfigError: for an unknown network, one without such features, or another size.
    """

    def __init__(
        self, name: str, size: Sequence[int], width: int, *, pretrained: bool = False,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        height, across = int(size[0]), int(size[1])
        check_page_reader(name, (height, across), pretrained=pretrained)
        self.grid: tuple[int, int] = (height // STRIDE, across // STRIDE)
        self.encoder: ReadEncoder | ImageEncoder
        if name == READNET:
            self.encoder = ReadEncoder(size, width=width)
            self.channels: tuple[int, ...] = (32, 64, width)
        else:
            self.encoder, channels = _at_strides(name, size, pretrained=pretrained)
            self.top = _Top(channels, width, self.grid, dropout)
            self.channels = (*channels[:2], width)
        self.print = PrintNet(width)

    def forward(self, image: Tensor) -> tuple[list[Tensor], Printed]:
        encoder = self.encoder
        printed = self.print(image)
        if isinstance(encoder, ReadEncoder):
            return encoder.scales(image, printed.beside), printed
        x = (image.float() / 255 - encoder.mean) / encoder.std
        maps = encoder.backbone(x.contiguous(memory_format=torch.channels_last))
        return [*maps[:2], self.top(maps, printed.beside)], printed
