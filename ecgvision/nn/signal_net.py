"""Signal classifier: any 1-D encoder over any leads, with masked input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.nn.encoder_names import lead_names
from ecgvision.nn.signal_encoders import signal_encoder
from ecgvision.nn.token_network import TokenNetwork

__all__ = ["SignalInput", "SignalNet", "lead_names"]


class SignalInput(nn.Module):
    """Centres and scales a signal; unobserved samples become 0.

    Args:
        leads: number of leads.
        scale: `lead` centres each lead of a record on the mean of its observed samples and divides
            it by its spread in training (a batch norm without weights). The voltages within a
            record keep their ratios. `global` uses one mean and one standard deviation of the
            training set for all leads (MVKT-ECG), set by `set_scale`.

    Shape:
        signal: (B, leads, T) mV, any value where unobserved; observed: the same, bool;
        result: (B, leads, T).

    Raises:
        ConfigError: for another scale.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, leads: int, scale: str = "lead") -> None:
        super().__init__()
        if scale not in ("lead", "global"):
            raise ConfigError("model.scale must be lead or global", value=scale)
        self.scale = scale
        if scale == "lead":
            self.norm = nn.BatchNorm1d(leads, affine=False)
        else:
            self.register_buffer("mean", torch.zeros(()))
            self.register_buffer("std", torch.ones(()))

    def set_scale(self, mean: float, std: float) -> None:
        """Set the training set's mean and standard deviation in mV, for `global`."""
        self.mean.fill_(mean)
        self.std.fill_(std)

    def forward(self, signal: Tensor, observed: Tensor) -> Tensor:
        if self.scale == "global":
            return torch.where(observed, (signal - self.mean) / self.std, 0.0)
        x = torch.where(observed, signal, 0.0)
        count = observed.sum(-1, keepdim=True).clamp(min=1)
        x = torch.where(observed, x - x.sum(-1, keepdim=True) / count, 0.0)
        return self.norm(x)


class SignalNet(TokenNetwork):
    """A 1-D encoder, mean and max pooling over time, and one linear layer.

    Concatenated mean and max pooling is that of the PTB-XL benchmark (Strodthoff et al. 2021) and
    of MVKT-ECG.

    Args:
        labels: number of labels C.
        encoder: a name of `SIGNAL_ENCODERS`.
        leads: leads to use, of the twelve in the input; the others are ignored.
        scale: see `SignalInput`.
        dropout: dropout rate before the linear layer.

    Shape:
        value: (B, 12, T) or (B, 12, 1, T) float mV; observed: the same, bool.
        Result: `{"signal": (B, C) logits}`; of `features`: (B, F).

    Raises:
        ConfigError: for an unknown encoder or lead, a repeated lead, or an empty list of leads.
    """

    token_per_patch = False

    def __init__(
        self, labels: int, *, encoder: str = "resnet1d_wang", leads: Sequence[str] | None = None,
        scale: str = "lead", dropout: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.leads = lead_names(leads)
        self.pick = [LEADS.index(lead) for lead in self.leads]
        self.input = SignalInput(len(self.pick), scale)
        self.encoder = signal_encoder(encoder, len(self.pick))
        self.token_width = int(self.encoder.channels)  # type: ignore[arg-type]
        self.width = 2 * self.token_width
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.width, labels))

    def tokens(self, value: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the encoder's output per step, (B, steps, F / 2), and a mask of ones."""
        shape = (value.shape[0], len(LEADS), -1)
        value, observed = value.reshape(shape), observed.reshape(shape)
        if len(self.pick) < len(LEADS):
            value, observed = value[:, self.pick], observed[:, self.pick]
        x = self.encoder(self.input(value, observed)).transpose(1, 2)
        return x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)

    def features(self, value: Tensor, observed: Tensor) -> Tensor:
        """Return the pooled input of the head, (B, F)."""
        return _pooled(self.tokens(value, observed)[0])

    def decide(self, tokens: Tensor, present: Tensor) -> dict[str, Tensor]:
        """Return the logits of `tokens`; `present` is ignored, as all of them are present."""
        return {"signal": self.head(_pooled(tokens))}

    def forward(self, value: Tensor, observed: Tensor) -> dict[str, Tensor]:
        return self.decide(*self.tokens(value, observed))


def _pooled(tokens: Tensor) -> Tensor:
    return torch.cat([tokens.mean(1), tokens.amax(1)], dim=1)
