"""1-D networks that turn a 12-lead signal into a short sequence of features.

Each maps (B, leads, T) to (B, channels, T / stride) and states `channels` and `stride`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from ecgvision.ecg import ConfigError


def _conv(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, act: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm1d(outputs),
    ]
    if act:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class BasicBlock1d(nn.Module):
    """Two convolutions and a shortcut (He et al. 2016, in one dimension)."""

    def __init__(self, inputs: int, outputs: int, stride: int, kernels: tuple[int, int]) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(inputs, outputs, kernels[0], stride=stride),
            _conv(outputs, outputs, kernels[1], act=False),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Identity() if same else _conv(inputs, outputs, 1, stride=stride, act=False)
        )
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.body(x) + self.shortcut(x))


class XBottleneck1d(nn.Module):
    """Bottleneck with an average-pooled shortcut (xresnet, He et al. 2019, in one dimension)."""

    def __init__(self, inputs: int, width: int, stride: int, kernel: int, expansion: int) -> None:
        super().__init__()
        outputs = width * expansion
        if expansion == 1:
            self.body = nn.Sequential(
                _conv(inputs, width, kernel, stride=stride), _conv(width, width, kernel, act=False)
            )
        else:
            self.body = nn.Sequential(
                _conv(inputs, width, 1),
                _conv(width, width, kernel, stride=stride),
                _conv(width, outputs, 1, act=False),
            )
        last = self.body[-1].get_submodule("1")
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]  # each block starts as the identity
        shortcut: list[nn.Module] = []
        if stride > 1:
            shortcut.append(nn.AvgPool1d(stride, ceil_mode=True))
        if inputs != outputs:
            shortcut.append(_conv(inputs, outputs, 1, act=False))
        self.shortcut = nn.Sequential(*shortcut)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.body(x) + self.shortcut(x))


class ResNet1d(nn.Module):
    """Residual network over time.

    Args:
        leads: input channels.
        widths: channels of each stage; every stage after the first halves the length.
        blocks: residual blocks in each stage.
        kernels: kernel sizes of the two convolutions of a block.
        stem: (kernel, stride, max-pooled?) of the first convolution.

    Shape:
        x: (B, leads, T); result: (B, channels, T / stride).
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
        layers: list[nn.Module] = [_conv(leads, widths[0], kernel, stride=stride)]
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


class XResNet1d(nn.Module):
    """xresnet1d in the constant-width form of the PTB-XL benchmark (Strodthoff et al. 2021).

    Stem of three convolutions (32 at stride 2, 32, 64), max pooling, four stages of width 64.

    Shape:
        x: (B, leads, T); result: (B, 64 * expansion, T / 32).
    """

    def __init__(
        self, leads: int = 12, *, blocks: Sequence[int], expansion: int, kernel: int = 5
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            _conv(leads, 32, kernel, stride=2),
            _conv(32, 32, kernel),
            _conv(32, 64, kernel),
            nn.MaxPool1d(3, 2, 1),
        ]
        inputs = 64
        for stage, depth in enumerate(blocks):
            for i in range(depth):
                stride = 2 if i == 0 and stage > 0 else 1
                layers.append(XBottleneck1d(inputs, 64, stride, kernel, expansion))
                inputs = 64 * expansion
        self.layers = nn.Sequential(*layers)
        self.channels, self.stride = inputs, 32

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


SIGNAL_ENCODERS: dict[str, Callable[[int], nn.Module]] = {
    # Wang et al. 2017 as the PTB-XL benchmark uses it: no early pooling, three short stages.
    "resnet1d_wang": partial(
        ResNet1d, widths=(128, 128, 128), blocks=(1, 1, 1), kernels=(5, 3), stem=(7, 1, False)
    ),
    # The same at half the first resolution and half the width: our default for small machines.
    "resnet1d_lite": partial(
        ResNet1d, widths=(64, 96, 128), blocks=(1, 1, 1), kernels=(5, 3), stem=(7, 2, False)
    ),
    "resnet1d18": partial(
        ResNet1d,
        widths=(64, 128, 256, 512),
        blocks=(2, 2, 2, 2),
        kernels=(7, 7),
        stem=(7, 2, True),
    ),
    "xresnet1d18": partial(XResNet1d, blocks=(2, 2, 2, 2), expansion=1),
    "xresnet1d34": partial(XResNet1d, blocks=(3, 4, 6, 3), expansion=1),
    "xresnet1d50": partial(XResNet1d, blocks=(3, 4, 6, 3), expansion=4),
    "xresnet1d101": partial(XResNet1d, blocks=(3, 4, 23, 3), expansion=4),
}


def signal_encoder(name: str, leads: int = 12) -> nn.Module:
    """The named network from `SIGNAL_ENCODERS`.

    Raises:
        ConfigError: for an unknown name.
    """
    if name not in SIGNAL_ENCODERS:
        raise ConfigError(
            "unknown model.signal_encoder",
            value=name,
            remedy=f"Known: {', '.join(SIGNAL_ENCODERS)}",
        )
    return SIGNAL_ENCODERS[name](leads)
