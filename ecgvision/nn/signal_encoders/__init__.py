"""1-D signal encoders by name.

Each maps (B, leads, T) float32 to (B, channels, ceil(T / stride)) float32, for any T of at least
one sample, and has the attributes `channels` and `stride`. Pooling and head are left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from ecgvision.core.errors import ConfigError
from ecgvision.nn.encoder_names import check_signal_encoder
from ecgvision.nn.signal_encoders.inception import Inception1d
from ecgvision.nn.signal_encoders.net1d import Net1DFeatures
from ecgvision.nn.signal_encoders.recurrent import Lstm1d
from ecgvision.nn.signal_encoders.residual import ResNet1d
from ecgvision.nn.signal_encoders.xresnet import XResNet1d

_wide = partial(XResNet1d, widths=(64, 128, 256, 512), kernel=3)

SIGNAL_ENCODERS: dict[str, Callable[[int], nn.Module]] = {
    # Wang et al. 2017 as the PTB-XL benchmark uses it: no early pooling, three short stages.
    "resnet1d_wang": partial(
        ResNet1d, widths=(128, 128, 128), blocks=(1, 1, 1), kernels=(5, 3), stem=(7, 1, False)
    ),
    # resnet1d_wang with stem stride 2 and narrower first stages: our default for small machines.
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
    # The PTB-XL benchmark's: constant width, kernel 5.
    "xresnet1d18": partial(XResNet1d, blocks=(2, 2, 2, 2), expansion=1),
    "xresnet1d34": partial(XResNet1d, blocks=(3, 4, 6, 3), expansion=1),
    "xresnet1d50": partial(XResNet1d, blocks=(3, 4, 6, 3), expansion=4),
    "xresnet1d101": partial(XResNet1d, blocks=(3, 4, 23, 3), expansion=4),
    # MVKT-ECG's: widths that double, kernel 3.
    "xresnet1d18_wide": partial(_wide, blocks=(2, 2, 2, 2), expansion=1),
    "xresnet1d34_wide": partial(_wide, blocks=(3, 4, 6, 3), expansion=1),
    "xresnet1d50_wide": partial(_wide, blocks=(3, 4, 6, 3), expansion=4),
    "xresnet1d101_wide": partial(_wide, blocks=(3, 4, 23, 3), expansion=4),
    "inception1d": Inception1d,
    # PatchECG's patch encoder over a complete record: stride 256, so use five seconds or more.
    "net1d": Net1DFeatures,
    "lstm": Lstm1d,
    "lstm_bidir": partial(Lstm1d, bidirectional=True),
}


def signal_encoder(name: str, leads: int = 12) -> nn.Module:
    """Create the network `name` of `SIGNAL_ENCODERS`, randomly initialised.

    Args:
        leads: input channels, at least one.

    Raises:
        ConfigError: for an unknown name, or fewer than one lead.
    """
    check_signal_encoder(name)
    if leads < 1:
        raise ConfigError("a signal encoder needs at least one lead", value=leads)
    return SIGNAL_ENCODERS[name](leads)
