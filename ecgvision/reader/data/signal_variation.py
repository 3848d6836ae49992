"""Signals without end: what a page may show, whether or not a heart could have made it.

Who learns to read a page needs curves of every size, speed and shape under every lead's name, and
no label has to survive. Only Einthoven's law does, because every page obeys it.
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
    """A stretch of a record, turned into another curve of the same kind. Our defaults.

    Attributes:
        amplitude: smallest and largest factor of all leads, drawn evenly on a log scale: from low
            voltage to hypertrophy at the record's own size.
        tempo: smallest and largest factor of the speed, drawn alike: 60 beats a minute become 42
            to 84.
        recombine: probability that leads are mixed: the limb leads by a random turn, stretch and
            mirror of the frontal plane, the chest leads by another order and a share of all others.
        flip: probability that the limb leads together, and each chest lead, change their sign.
        share: standard deviation of what every lead adds to a recombined chest lead.

    Raises:
        ConfigError: for a range or a probability that is none.
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
        """(12, T) mV, NaN where missing, to (12, length) mV."""
        return self.of(lambda start, n: signal[:, start : start + n], signal.shape[1], length, rng)

    def of(
        self, read: Read, samples: int, length: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """As a call with the whole record, of which only the stretch that is drawn is read.

        Args:
            read: from first sample and number of samples to (12, number) mV.
            samples: of the record.
            length: of the result.
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
    """`length` samples from anywhere, `tempo` times as fast. Where the record is too short it runs
    on backwards from its end, which is continuous and leaves no part of the page empty."""
    last = samples - 1
    spare = last - (length - 1) * tempo
    at = rng.uniform(0, spare if spare >= 0 else last) + np.arange(length) * tempo
    at = last - np.abs(np.mod(at, max(2 * last, 1)) - last)
    # a sample more than is needed, so that a missing one there tells as in the whole record
    first, end = int(at.min()), min(int(at.max()) + 2, samples)
    time, part = np.arange(first, end), read(first, end - first)
    return np.stack([np.interp(at, time, lead) for lead in part]).astype(np.float32)


def _mix(signal: NDArray[np.float32], share: float, rng: np.random.Generator) -> None:
    """Mix the leads of (12, T) in place; a lead of which a part is missing then misses it too."""
    order = 6 + rng.permutation(len(LEADS) - 6)
    shares = rng.normal(0, share, (6, 8)).astype(np.float32)
    turn = rng.normal(0, math.sqrt(0.5), (2, 2)).astype(np.float32)  # keeps the mean power
    independent = [0, 1, *range(6, 12)]
    present = np.asarray(np.isfinite(signal[independent]).any(axis=1))
    # a lead that is not there has no share
    others = np.where(present[:, None], signal[independent], 0)
    signal[6:] = signal[order] + shares @ others
    if present[:2].all():
        signal[:6] = LIMB_FROM_I_II @ (turn @ signal[:2])
