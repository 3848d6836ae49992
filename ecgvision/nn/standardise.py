"""Standardisation of each lead by constants of the training set, kept as buffers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError, DataError


class Moments(NamedTuple):
    """Mean of each lead, and one standard deviation for all leads or one for each."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


NOTHING = Moments((0.0,) * len(LEADS), (1.0,))
"""Moments of the identity; a checkpoint may replace them."""


class Standardise(nn.Module):
    """`(x - mean of the lead) / std`.

    Args:
        moments: of 12 leads; a single standard deviation applies to all leads. The default is the
            identity, until a checkpoint loads other moments into the buffers.

    Shape:
        x: (B, leads, ...); result: the same, float32.

    Raises:
        ConfigError: for values that are not finite, or a deviation that is not positive.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, moments: Moments = NOTHING) -> None:
        super().__init__()
        mean, std = moments
        if len(mean) != len(LEADS) or len(std) not in (1, len(LEADS)):
            raise ConfigError(
                f"moments need {len(LEADS)} means, and 1 or {len(LEADS)} deviations",
                value=(len(mean), len(std)),
            )
        self.register_buffer("mean", _finite("mean", mean))
        self.register_buffer("std", _finite("std", std).expand(len(LEADS)).clone())
        if not bool((self.std > 0).all()):
            raise ConfigError("standard deviations must be positive", value=tuple(std))

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return (x.float() - self.mean.view(shape)) / self.std.view(shape)


def _finite(name: str, values: Sequence[float]) -> Tensor:
    tensor = torch.tensor(list(values), dtype=torch.float32)
    if not bool(tensor.isfinite().all()):
        raise ConfigError(f"{name} must be finite", value=tuple(values))
    return tensor


def estimate(batches: Iterable[Tensor], *, std_per_lead: bool = False) -> Moments:
    """Estimate the moments of training batches, ignoring NaN.

    Args:
        batches: (B, leads, ...) signals or spectrograms; iterated once.
        std_per_lead: one deviation per lead; otherwise one for all leads, about their own means,
            so that leads keep their proportions.

    Raises:
        DataError: for no batches, or a lead without values or without any spread.
    """
    count = mean = square = torch.zeros((), dtype=torch.float64)
    for batch in batches:
        x = batch.detach().double().transpose(0, 1).flatten(1).cpu()
        seen = ~x.isnan()
        n = seen.sum(1).double()
        m = x.nan_to_num(0.0).sum(1) / n.clamp(min=1)
        s = torch.where(seen, (x - m.unsqueeze(1)) ** 2, 0.0).sum(1)
        total = count + n  # parallel form of Welford's sums (Chan et al. 1983)
        apart = m - mean
        mean = mean + apart * n / total.clamp(min=1)
        square = square + s + apart**2 * count * n / total.clamp(min=1)
        count = total
    if count.ndim == 0 or not bool((count > 0).all()):
        raise DataError("there are no values to estimate moments from", value=count.tolist())
    variance = square / count if std_per_lead else (square.sum() / count.sum()).view(1)
    if not bool((variance > 0).all()):
        raise DataError("a lead without any spread cannot be standardised",
                        value=variance.tolist())  # fmt: skip
    return Moments(tuple(mean.tolist()), tuple(variance.sqrt().tolist()))
