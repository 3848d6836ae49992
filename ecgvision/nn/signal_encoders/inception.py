"""InceptionTime (Ismail Fawaz et al. 2020) as the PTB-XL benchmark builds it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError
from ecgvision.nn.signal_encoders.blocks import conv_norm

SHORTCUT_EVERY = 3
"""Modules per shortcut (Ismail Fawaz et al. 2020, figure 1)."""


class InceptionModule1d(nn.Module):
    """Parallel convolutions: several lengths over a bottleneck, and one over a max pooling.

    Shape:
        x: (B, inputs, T); result: (B, filters * (len(kernels) + 1), T).
    """

    def __init__(self, inputs: int, *, filters: int, kernels: Sequence[int], bottleneck: int):
        super().__init__()
        self.bottleneck = nn.Conv1d(inputs, bottleneck, 1, bias=False)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(bottleneck, filters, kernel, padding=kernel // 2, bias=False)
            for kernel in kernels
        )
        self.pooled = nn.Sequential(
            nn.MaxPool1d(3, 1, 1), nn.Conv1d(inputs, filters, 1, bias=False)
        )
        self.norm = nn.BatchNorm1d(filters * (len(kernels) + 1))
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.bottleneck(x)
        parts = [convolution(narrow) for convolution in self.convolutions]
        return self.act(self.norm(torch.cat([*parts, self.pooled(x)], dim=1)))


class InceptionGroup1d(nn.Module):
    """Three modules with a shortcut around them.

    Shape:
        x: (B, inputs, T); result: (B, filters * (len(kernels) + 1), T).
    """

    def __init__(self, inputs: int, *, filters: int, kernels: Sequence[int], bottleneck: int):
        super().__init__()
        outputs = filters * (len(kernels) + 1)
        self.body = nn.Sequential(
            *(
                InceptionModule1d(
                    outputs if i else inputs,
                    filters=filters,
                    kernels=kernels,
                    bottleneck=bottleneck,
                )
                for i in range(SHORTCUT_EVERY)
            )
        )
        self.shortcut = conv_norm(inputs, outputs, 1, act=False)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.body(x) + self.shortcut(x))


class Inception1d(nn.Module):
    """InceptionTime: modules of parallel convolutions at the signal's full resolution.

    The defaults are the benchmark's (Strodthoff et al. 2021, its public code): kernels of 39, 19
    and 9 samples (40, 20 and 10, made odd), meant for 100 Hz.

    Args:
        leads: input channels.
        depth: number of modules, a multiple of 3.
        filters: channels of each branch; a module has one branch per kernel and one more.
        bottleneck: input channels of the convolutions of `kernels`.
        kernels: odd lengths of the convolutions.

    Shape:
        x: (B, leads, T); result: (B, filters * (len(kernels) + 1), T).

    Raises:
        ConfigError: if depth is not a positive multiple of 3, or a kernel is even.
    """

    def __init__(
        self,
        leads: int = 12,
        *,
        depth: int = 6,
        filters: int = 32,
        bottleneck: int = 32,
        kernels: Sequence[int] = (39, 19, 9),
    ) -> None:
        super().__init__()
        if depth < 1 or depth % SHORTCUT_EVERY:
            raise ConfigError("inception1d needs a depth that 3 divides", value=depth)
        if not kernels or any(kernel < 1 or kernel % 2 == 0 for kernel in kernels):
            raise ConfigError("inception1d needs odd kernels", value=tuple(kernels))
        self.channels, self.stride = filters * (len(kernels) + 1), 1
        self.layers = nn.Sequential(
            *(
                InceptionGroup1d(
                    self.channels if i else leads,
                    filters=filters,
                    kernels=kernels,
                    bottleneck=bottleneck,
                )
                for i in range(depth // SHORTCUT_EVERY)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
