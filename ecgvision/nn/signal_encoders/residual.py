"""1-D residual networks with basic blocks (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ecgvision.nn.signal_encoders.blocks import conv_norm


class BasicBlock1d(nn.Module):
    """Residual block of two convolutions.

    Shape:
        x: (B, inputs, T); result: (B, outputs, ceil(T / stride)).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, kernels: tuple[int, int]) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_norm(inputs, outputs, kernels[0], stride=stride),
            conv_norm(outputs, outputs, kernels[1], act=False),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Identity() if same else conv_norm(inputs, outputs, 1, stride=stride, act=False)
        )
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.body(x) + self.shortcut(x))


class ResNet1d(nn.Module):
    """1-D residual network.

    Args:
        leads: input channels.
        widths: channels of each stage; every stage after the first halves the length.
        blocks: residual blocks of each stage.
        kernels: kernel sizes of the two convolutions of a block.
        stem: kernel and stride of the first convolution, and whether max pooling follows.

    Shape:
        x: (B, leads, T); result: (B, channels, ceil(T / stride)).
    """

    def __init__(
        self,
        leads: int = 12,
        *,
        widths: Sequence[int],
        blocks: Sequence[int],
        kernels: tuple[int, int],
        stem: tuple[int, int, bool],
    ) -> None:
        super().__init__()
        kernel, stride, pool = stem
        layers: list[nn.Module] = [conv_norm(leads, widths[0], kernel, stride=stride)]
        if pool:
            layers.append(nn.MaxPool1d(3, 2, 1))
            stride *= 2
        inputs = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, blocks, strict=True)):
            for i in range(depth):
                step = 2 if i == 0 and stage > 0 else 1
                layers.append(BasicBlock1d(inputs, width, step, kernels))
                inputs, stride = width, stride * step
        self.layers = nn.Sequential(*layers)
        self.channels, self.stride = inputs, stride

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
