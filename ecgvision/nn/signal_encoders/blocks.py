"""Building blocks shared by the convolutional encoders."""

from __future__ import annotations

from torch import nn


def conv_norm(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, act: bool = True
) -> nn.Sequential:
    """Convolution without bias, batch norm and, if `act`, a ReLU.

    The padding is half of the (odd) kernel.

    Shape:
        x: (B, inputs, T); result: (B, outputs, ceil(T / stride)).
    """
    layers: list[nn.Module] = [
        nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm1d(outputs),
    ]
    if act:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
