"""Signal augmentation for the training of readers, without regard to physiology.

A reader must see curves of every size, speed and shape under every lead name, and no label has to
stay valid. Only Einthoven's law is kept, because every page obeys it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.core.limb_leads import LIMB_FROM_I_II

Read = Callable[[int, int], NDArray[np.float32]]


@dataclass(frozen=True)
class SignalVariation:
    """Random window of a record with random amplitude, tempo, lead mixing and signs. Our defaults.

    Attributes:
        amplitude: minimum and maximum factor of all leads, log-uniform: from low voltage to
            hypertrophy, relative to the record.
        tempo: minimum and maximum factor of the speed, log-uniform: 60 beats per minute become 42
            to 84.
        recombine: probability that leads are mixed. Limb leads get a random rotation, scaling and
            reflection of the frontal plane. Chest leads get another order and a share of all other
            leads.
        flip: probability of a sign change, drawn once for all limb leads and once for each chest
            lead.
        share: standard deviation of the coefficients of the other leads in a recombined chest lead.

    Raises:
        ConfigError: for an invalid range or probability.
    """

    amplitude: tuple[float, float] = (0.3, 3.0)
    tempo: tuple[float, float] = (0.7, 1.4)
    recombine: float = 0.5
    flip: float = 0.25
    share: float = 0.3

    def __post_init__(self) -> None:
        for name in ("amplitude", "tempo"):
            low, high = getattr(self, name)
            if not (0 < low <= high and math.isfinite(high)):
                raise ConfigError(f"{name} must be (from, to), positive and rising",
                                  value=(low, high))  # fmt: skip
        for name in ("recombine", "flip"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be a probability", value=getattr(self, name))
        if not (self.share >= 0 and math.isfinite(self.share)):
            raise ConfigError("share must not be negative", value=self.share)

    def __call__(
        self, signal: NDArray[np.float32], length: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Convert (12, T) mV, NaN where missing, to (12, length) mV."""
        return self.of(lambda start, n: signal[:, start : start + n], signal.shape[1], length, rng)

    def of(
        self, read: Read, samples: int, length: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Vary a record, reading only the drawn window.

        Args:
            read: from first sample and number of samples to (12, number) mV.
            samples: length of the record.
            length: length of the result.
        """
        out = _stretch(read, samples, length, _log_uniform(self.tempo, rng), rng)
        out *= np.float32(_log_uniform(self.amplitude, rng))
        mixed, signs = rng.random() < self.recombine, rng.random(7) < self.flip
        if mixed:
            _mix(out, self.share, rng)
        signs = np.concatenate([np.repeat(signs[:1], 6), signs[1:]])
        out[signs] *= -1
        return out


def _log_uniform(ends: tuple[float, float], rng: np.random.Generator) -> float:
    return math.exp(rng.uniform(math.log(ends[0]), math.log(ends[1])))


def _stretch(
    read: Read, samples: int, length: int, tempo: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Resample a random window to `length` samples, `tempo` times as fast.

    A record that is too short continues backwards from its end, which is continuous and leaves no
    part of the page empty.
    """
    last = samples - 1
    spare = last - (length - 1) * tempo
    at = rng.uniform(0, spare if spare >= 0 else last) + np.arange(length) * tempo
    at = last - np.abs(np.mod(at, max(2 * last, 1)) - last)
    # one extra sample, so that a NaN beyond the window acts as in the full record
    first, end = int(at.min()), min(int(at.max()) + 2, samples)
    time, part = np.arange(first, end), read(first, end - first)
    return np.stack([np.interp(at, time, lead) for lead in part]).astype(np.float32)


def _mix(signal: NDArray[np.float32], share: float, rng: np.random.Generator) -> None:
    """Mix the leads of (12, T) in place.

    Samples missing in a source lead are missing in its mixtures.
    """
    order = 6 + rng.permutation(len(LEADS) - 6)
    shares = rng.normal(0, share, (6, 8)).astype(np.float32)
    turn = rng.normal(0, math.sqrt(0.5), (2, 2)).astype(np.float32)  # keeps the mean power
    independent = [0, 1, *range(6, 12)]
    present = np.asarray(np.isfinite(signal[independent]).any(axis=1))
    # an absent lead contributes nothing
    others = np.where(present[:, None], signal[independent], 0)
    signal[6:] = signal[order] + shares @ others
    if present[:2].all():
        signal[:6] = LIMB_FROM_I_II @ (turn @ signal[:2])
