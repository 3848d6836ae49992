"""readnet: a small image encoder for reading pages, local convolutions then page context."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.nn.encoder_names import STRIDE, check_readnet_size
from ecgvision.nn.image_encoders.page_context import PageContext


def conv_unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm and ReLU; the output has the input size divided by `stride`."""
    padding = (kernel - stride + 1) // 2
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs), nn.ReLU(),
    )  # fmt: skip


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_unit(width, width, 3),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class ReadEncoder(nn.Module):
    """`readnet`: convolutions to cells of 16 pixels, then a `PageContext`. Our own design.

    Args:
        size: (height, width) of the pages, multiples of 16.
        width: channels of the result.

    Shape:
        image: (B, 3, height, width) uint8; result: (B, channels, height / 16, width / 16).

    Raises:
        ConfigError: for any other size.
    """

    def __init__(self, size: Sequence[int], *, width: int = 128) -> None:
        super().__init__()
        height, across = int(size[0]), int(size[1])
        check_readnet_size((height, across))
        self.channels = width
        self.grid: tuple[int, int] = (height // STRIDE, across // STRIDE)
        self.first = conv_unit(3, 32, 8, 4)
        self.second = nn.Sequential(conv_unit(32, 64, 3, 2), _Residual(64))
        self.third = conv_unit(64, width, 3, 2)
        self.context = PageContext(width, self.grid)

    def scales(self, image: Tensor, beside: Tensor | float = 0.0) -> list[Tensor]:
        """Return features at strides 4, 8 and 16.

        `beside` is added to the stride-16 features before the page context.
        """
        x = (image.float() / 255 - 0.5).contiguous(memory_format=torch.channels_last)
        first = self.first(x)
        second = self.second(first)
        return [first, second, self.context(self.third(second) + beside)]

    def forward(self, image: Tensor) -> Tensor:
        return self.scales(image)[-1]
