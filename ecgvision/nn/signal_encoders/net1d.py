"""Net1D: a 1-D residual network with grouped convolutions and squeeze-excitation.

Hong et al. 2020; PatchECG's patch encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError, DataError


class SameConv1d(nn.Conv1d):
    """Convolution with zero padding to the length `ceil(T / stride)`.

    If the padding is odd, the extra sample is at the end.

    Shape:
        x: (B, in_channels, T); result: (B, out_channels, ceil(T / stride)).
    """

    def forward(self, x: Tensor) -> Tensor:
        length, stride, kernel = x.shape[-1], self.stride[0], self.kernel_size[0]
        pad = max(0, (-(-length // stride) - 1) * stride + kernel - length)
        return super().forward(F.pad(x, (pad // 2, pad - pad // 2)))


class Net1DBlock(nn.Module):
    """Pre-activation block: 1x1, grouped and 1x1 convolutions, squeeze-excitation, a shortcut.

    The shortcut has no weights. It is a max pooling where the block has a stride, and zero channels
    are added on both sides where the block widens. The pooling is padded with zeros (at stride 2
    one zero at the end), so on a single sample it acts as a ReLU, as in the published network.

    Args:
        first: the block follows the stem, whose output is already activated. Its `bn1` is then
            unused and not trained. It is kept so that states of the published network fit.

    Shape:
        x: (B, inputs, T); result: (B, outputs, ceil(T / stride)).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int,
        stride: int,
        groups: int,
        first: bool,
        normalise: bool,
        dropout: float,
    ) -> None:
        super().__init__()

        def norm(channels: int) -> nn.Module:
            return nn.BatchNorm1d(channels) if normalise else nn.Identity()

        self.first, self.stride, self.widen = first, stride, outputs - inputs
        self.bn1, self.bn2, self.bn3 = norm(inputs), norm(outputs), norm(outputs)
        if first:
            self.bn1.requires_grad_(False)
        self.conv1 = SameConv1d(inputs, outputs, 1)
        self.conv2 = SameConv1d(outputs, outputs, kernel, stride=stride, groups=groups)
        self.conv3 = SameConv1d(outputs, outputs, 1)
        self.se_fc1 = nn.Linear(outputs, outputs // 2)
        self.se_fc2 = nn.Linear(outputs // 2, outputs)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        out = x if self.first else self.drop(F.silu(self.bn1(x)))
        out = self.conv1(out)
        out = self.conv2(self.drop(F.silu(self.bn2(out))))
        out = self.conv3(self.drop(F.silu(self.bn3(out))))
        gate = self.se_fc2(F.silu(self.se_fc1(out.mean(-1)))).sigmoid()
        return out * gate.unsqueeze(-1) + self._shortcut(x)

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            # Concatenated, not padded: ONNX Runtime (seen with 1.31) merges a zero padding into the
            # following max pooling, where padding counts as minus infinity.
            pad = self.stride - 1
            front, back = (x.new_zeros(*x.shape[:2], n) for n in (pad // 2, pad - pad // 2))
            x = F.max_pool1d(torch.cat([front, x, back], -1), self.stride)
        return F.pad(x, (0, 0, self.widen // 2, self.widen - self.widen // 2))


class Net1DFeatures(nn.Module):
    """Net1D without its mean over time and linear layer: the stem and the stages of blocks.

    The defaults are PatchECG's (its public code). The stem and the first block of every stage
    halve the length, so `stride` is 256 by default: 64 samples become 32, 16, 8, 4, 2, 1, 1, 1.

    Args:
        inputs: channels of the signal.
        base: channels of the stem.
        filters, blocks: channels and number of blocks of each stage; channels must not shrink.
        kernel: kernel of the stem and of the grouped convolutions.
        stride: stride of the first block of every stage.
        group_width: channels per group; larger where it does not divide the width.
        normalise: use batch norm.
        dropout: dropout rate after each activation of a block.

    Shape:
        x: (B, inputs, T); result: (B, channels, ceil(T / self.stride)).

    Raises:
        ConfigError: if filters and blocks disagree or shrink, or the channels cannot be grouped.
    """

    def __init__(
        self,
        inputs: int = 2,
        *,
        base: int = 16,
        filters: Sequence[int] = (16, 32, 32, 40, 40, 64, 64),
        blocks: Sequence[int] = (2, 2, 2, 2, 2, 2, 2),
        kernel: int = 16,
        stride: int = 2,
        group_width: int = 16,
        normalise: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        widths = (base, *filters)
        if len(filters) != len(blocks) or not filters or any(b < a for a, b in pairwise(widths)):
            raise ConfigError(
                "Net1D needs one number of blocks for each stage, and widths that do not shrink",
                value=(widths, tuple(blocks)),
            )
        if any(w < group_width or w % (w // group_width) for w in filters):
            raise ConfigError(
                "Net1D cannot group its channels", value=(tuple(filters), group_width)
            )
        self.normalise = normalise
        self.first_conv = SameConv1d(inputs, base, kernel, stride=2)
        self.first_bn = nn.BatchNorm1d(base) if normalise else nn.Identity()
        self.stages = nn.Sequential()
        for stage, (before, width) in enumerate(pairwise(widths)):
            self.stages.append(
                nn.Sequential(
                    *(
                        Net1DBlock(
                            width if i else before,
                            width,
                            kernel=kernel,
                            stride=1 if i else stride,
                            groups=width // group_width,
                            first=stage == 0 and i == 0,
                            normalise=normalise,
                            dropout=dropout,
                        )
                        for i in range(blocks[stage])
                    )
                )
            )
        self.channels, self.stride = widths[-1], 2 * stride ** len(filters)

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(F.silu(self.first_bn(self.first_conv(x))))


class Net1D(Net1DFeatures):
    """`Net1DFeatures`, mean over time and one linear layer.

    Has 293,936 parameters with the defaults, two inputs and 768 outputs. The 32 parameters of the
    first block's unused batch norm are not trained.

    Args:
        inputs: channels of the signal.
        outputs: features of the linear layer.
        **settings: those of `Net1DFeatures`. With batch norm, training needs at least two signals.

    Shape:
        x: (B, inputs, T); result: (B, outputs).

    Raises:
        ConfigError: as `Net1DFeatures`.
        DataError: for a single signal in training with batch norm.
    """

    def __init__(self, inputs: int = 2, outputs: int = 768, **settings: Any) -> None:
        super().__init__(inputs, **settings)
        self.features = self.channels
        self.dense = nn.Linear(self.features, outputs)

    def pooled(self, x: Tensor) -> Tensor:
        """Return the features before the linear layer: (B, inputs, T) to (B, features)."""
        if self.training and self.normalise and len(x) < 2:
            raise DataError(
                "batch norm needs two signals at least in a training batch",
                value=len(x),
                remedy="Raise the batch size or hide less of each record",
            )
        return super().forward(x).mean(-1)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.pooled(x))
