"""Gated fusion of a time-domain and a spectrogram encoder.

Phan et al. (arXiv 2210.06297) and their public code. Differences: their encoders contain an unused
classifier for 1000 classes (0.51 M parameters each, part of the 23.9 M saved); their stems have a
bias before batch norm, which has no effect; and their loading of pretrained encoders silently skips
keys whose names differ, which `load_weights` refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import timm
import torch
from timm.layers import SEModule
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.signal_encoders import signal_encoder
from ecgvision.nn.standardise import NOTHING, Moments, Standardise
from ecgvision.systems.ssl.spectrogram import Spectrogram

Fusion = Literal["gate", "concat", "time", "spectrogram"]


class TimeEncoder(nn.Module):
    """A 1-D encoder with concatenated mean and max pooling over time.

    Args:
        name: a name of `SIGNAL_ENCODERS`. The published one is `xresnet1d50`, with 512 features.

    Shape:
        signal: (B, 12, T) standardised; result: (B, features).
    """

    def __init__(self, name: str = "xresnet1d50") -> None:
        super().__init__()
        self.encoder = signal_encoder(name)
        self.features = 2 * int(self.encoder.channels)  # type: ignore[arg-type]

    def forward(self, signal: Tensor) -> Tensor:
        x = self.encoder(signal)
        return torch.cat([x.mean(-1), x.amax(-1)], dim=1)


class SpectrogramEncoder(nn.Module):
    """SE-ResNet34 over (bins, frames), leads as channels, average pooling: 512 features.

    timm's network with the published squeeze-excitation: a reduction of 16, without bias. timm's
    own default keeps at least eight channels.

    Shape:
        spectrogram: (B, 12, bins, frames) standardised; result: (B, features).
    """

    def __init__(self) -> None:
        super().__init__()
        squeeze = partial(SEModule, rd_ratio=1 / 16, rd_divisor=1, bias=False)
        self.encoder = timm.create_model(
            "seresnet34", in_chans=len(LEADS), num_classes=0, block_args={"attn_layer": squeeze}
        )
        self.features = int(self.encoder.num_features)  # type: ignore[arg-type]

    def forward(self, spectrogram: Tensor) -> Tensor:
        return self.encoder(spectrogram)


class Gate(nn.Module):
    """Gate: weights of the two encoders' features, which sum to 1.

    The input features of each encoder are normalised to mean 0 and variance 1, and the gate starts
    at one half. This is our own change. The published gate reads raw features; their scale drives
    it to one encoder within an epoch, for good, and the other encoder stops learning.

    Args:
        features: number of features of both encoders, F + G.
        raw: use raw features and the default initialisation, as published.

    Shape:
        time: (B, F); spectrogram: (B, G); result: (B, 2).
    """

    def __init__(self, features: int, *, raw: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 2)
        self.raw = raw
        self.open_()

    def open_(self) -> None:
        """Reset the gate to equal weights, unless raw."""
        if not self.raw:
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)

    def forward(self, time: Tensor, spectrogram: Tensor) -> Tensor:
        parts = [time, spectrogram]
        if not self.raw:
            parts = [F.layer_norm(part, part.shape[1:]) for part in parts]
        return self.linear(torch.cat(parts, dim=1)).softmax(-1)


def linear_head(features: int, labels: int) -> nn.Sequential:
    """Return two linear layers without activation, as published: (B, features) to (B, C)."""
    return nn.Sequential(nn.Linear(features, features // 2), nn.Linear(features // 2, labels))


class GatedNet(nn.Module):
    """Time encoder, spectrogram encoder, gate and heads.

    Includes the spectrogram and both standardisations, so its input is in mV. Pretrained encoders
    are loaded with `load_weights(net.time_encoder, file)`; likewise `net.spectrogram_encoder`.

    Args:
        labels: number of labels C.
        fusion: `gate`; `concat`, plain concatenation; or `time` or `spectrogram` alone.
        streams: heads of `gate` and `concat`: `fused`, optionally with `time` and `spectrogram`,
            which read one encoder each (the public code's variant with three heads).
        time_encoder: see `TimeEncoder`.
        rate, segment: see `Spectrogram`.
        official_raw_gate: see `Gate`.
        time_moments, spectrogram_moments: moments of mV and of magnitudes; see `Standardise`.

    Shape:
        signal: (B, 12, T) mV, NaN (not observed) counts as 0; result: dict of (B, C) logits under
        `fused`, `time` and `spectrogram`, one for each head. With `gate=True` also (B, 2) weights
        of time and spectrogram under `gate`.

    Raises:
        ConfigError: for an unknown fusion or stream, or `gate=True` for a network without a gate.
        DataError: for a signal with another number of leads, or shorter than a segment.
    """

    def __init__(
        self,
        labels: int,
        *,
        fusion: Fusion = "gate",
        streams: Sequence[str] = ("fused",),
        time_encoder: str = "xresnet1d50",
        rate: float = 100.0,
        segment: int = 25,
        official_raw_gate: bool = False,
        time_moments: Moments = NOTHING,
        spectrogram_moments: Moments = NOTHING,
    ) -> None:
        super().__init__()
        if fusion not in get_args(Fusion):
            raise ConfigError(
                "unknown model.fusion", value=fusion, remedy=f"Known: {', '.join(get_args(Fusion))}"
            )
        alone = fusion in ("time", "spectrogram")
        self.fusion = fusion
        self.streams = (fusion,) if alone else tuple(streams)
        if not alone and ("fused" not in self.streams or
                          not set(self.streams) <= {"fused", "time", "spectrogram"}):  # fmt: skip
            raise ConfigError(
                "model.streams must hold fused, and may hold time and spectrogram", value=streams
            )
        sizes: dict[str, int] = {}
        if fusion != "spectrogram":
            self.time_input = Standardise(time_moments)
            self.time_encoder = TimeEncoder(time_encoder)
            sizes["time"] = self.time_encoder.features
        if fusion != "time":
            self.spectrogram_input = nn.Sequential(
                Spectrogram(rate=rate, segment=segment), Standardise(spectrogram_moments)
            )
            self.spectrogram_encoder = SpectrogramEncoder()
            sizes["spectrogram"] = self.spectrogram_encoder.features
        sizes["fused"] = sum(sizes.values())
        if fusion == "gate":
            self.gate = Gate(sizes["fused"], raw=official_raw_gate)
        self.heads = nn.ModuleDict(
            {name: linear_head(sizes[name], labels) for name in self.streams}
        )

    def features(self, signal: Tensor) -> dict[str, Tensor]:
        """Return (B, features) by encoder for (B, 12, T) mV."""
        if signal.ndim != 3 or signal.shape[1] != len(LEADS):
            raise DataError("signals must be (B, 12, T)", value=tuple(signal.shape))
        signal = torch.nan_to_num(signal.float(), nan=0.0)
        found = {}
        if self.fusion != "spectrogram":
            found["time"] = self.time_encoder(self.time_input(signal))
        if self.fusion != "time":
            found["spectrogram"] = self.spectrogram_encoder(self.spectrogram_input(signal))
        return found

    def forward(self, signal: Tensor, *, gate: bool = False) -> dict[str, Tensor]:
        if gate and self.fusion != "gate":
            raise ConfigError("this network has no gate", value=self.fusion)
        found = self.features(signal)
        weights = None
        if "fused" in self.streams:
            parts = list(found.values())
            if self.fusion == "gate":
                weights = self.gate(*parts)
                parts = [part * weights[:, i : i + 1] for i, part in enumerate(parts)]
            found["fused"] = torch.cat(parts, dim=1)
        out = {name: self.heads[name](found[name]) for name in self.streams}
        return out | {"gate": weights} if gate and weights is not None else out


def xavier_(module: nn.Module) -> nn.Module:
    """Re-initialise all convolutions and linear layers, Xavier-normal with biases 0, in place.

    Gates are reset to equal weights. The published networks are initialised so without
    pretraining. The public code also draws biases of convolutions at random; these come before
    batch norms and have no effect.

    Returns:
        The module itself.
    """
    gates = []
    for layer in module.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, Gate):
            gates.append(layer)
    for gate in gates:
        gate.open_()
    return module
