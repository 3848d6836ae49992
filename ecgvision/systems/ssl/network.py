"""A signal read twice, as a curve and as a spectrogram, and the two readings weighed by a gate.

Phan et al. (arXiv 2210.06297) and their public code. Departures: its encoders carry a classifier
for 1000 classes that is never used (0.51 M parameters each, part of the 23.9 M it saves); its stems
have a bias before batch norm, which cannot matter; and loading pretrained encoders there silently
loads nothing where names differ, which `load_pretrained` refuses.
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
    """A 1-D network, its average and its maximum over time side by side.

    Args:
        name: of `SIGNAL_ENCODERS`. `xresnet1d50` is the published one, with 512 features.

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
    """SE-ResNet34 over (bins, frames) with the leads as channels, averaged: 512 features.

    timm's network with the published squeeze-excitation, a sixteenth of the channels and without
    bias, where timm itself would not go below eight channels.

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
    """Weights of the two readings that add up to 1, from both.

    Each reading is brought to mean 0 and variance 1 over its features before it is asked, and the
    gate starts at one half. Our own: readings of any size drive the published gate, which sees
    them raw, to one encoder for good within an epoch, after which the other learns no more.

    Args:
        features: F + G.
        raw: as published.

    Shape:
        time: (B, F); spectrogram: (B, G); result: (B, 2).
    """

    def __init__(self, features: int, *, raw: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 2)
        self.raw = raw
        self.open_()

    def open_(self) -> None:
        """Weigh both alike, unless raw."""
        if not self.raw:
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)

    def forward(self, time: Tensor, spectrogram: Tensor) -> Tensor:
        parts = [time, spectrogram]
        if not self.raw:
            parts = [F.layer_norm(part, part.shape[1:]) for part in parts]
        return self.linear(torch.cat(parts, dim=1)).softmax(-1)


def linear_head(features: int, labels: int) -> nn.Sequential:
    """Two linear layers with nothing between them, as published: (B, features) to (B, C)."""
    return nn.Sequential(nn.Linear(features, features // 2), nn.Linear(features // 2, labels))


class GatedNet(nn.Module):
    """Time encoder, spectrogram encoder, gate, heads.

    The transform and both standardisations are inside, so the network reads mV. Encoders may be
    pretrained: `load_pretrained(net.time_encoder, file)`, and `net.spectrogram_encoder` alike.

    Args:
        labels: number of labels C.
        fusion: `gate`; `concat`, the two side by side; or `time` or `spectrogram` alone.
        streams: heads of `gate` and `concat`: `fused`, with or without `time` and `spectrogram`,
            which read one encoder each (the public code's variant with three heads).
        time_encoder: see `TimeEncoder`.
        rate, segment: see `Spectrogram`.
        official_raw_gate: see `Gate`.
        time_moments, spectrogram_moments: see `Standardise`; of mV and of magnitudes.

    Shape:
        signal: (B, 12, T) mV, NaN (not observed) counting as 0; result: dict of (B, C) logits
        under `fused`, `time`, `spectrogram`, as many as there are heads, and with `gate=True`
        (B, 2) weights of time and spectrogram under `gate`.

    Raises:
        ConfigError: for an unknown fusion or stream, or a gate asked of a network without one.
        DataError: for a signal of other leads, or shorter than a segment.
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
        """(B, 12, T) mV to (B, features) by encoder."""
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
    """Draw the weights of all convolutions and linear layers anew, Xavier-normal, biases 0.

    Gates start even. The published networks start so without pretraining; the public code draws
    biases of convolutions too, which stand before batch norms and cannot matter.

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
