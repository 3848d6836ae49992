"""Recording noise: baseline wander, mains, muscle noise and electrode motion.

All noise is a voltage at an electrode. Ranges are the textbook's: wander below 0.5 Hz up
to 0.3 mV, mains up to 0.05 mV, muscle noise from 20 Hz. Other values are marked as our default.
"""

from __future__ import annotations

import numpy as np

from data_prep.synthetic.dipole import Array
from data_prep.synthetic.rhythm import Rng

ELECTRODES = 9  # RA, LA, LL, V1 to V6


def wander(rng: Rng, count: int, rate: float) -> Array:
    """Baseline wander (9, T) mV: breathing and drift below 0.5 Hz; peaks mostly under 0.15 mV."""
    t = np.arange(count) / rate
    f = rng.uniform(0.05, 0.5, (ELECTRODES, 3, 1))
    phase = rng.uniform(0, 2 * np.pi, (ELECTRODES, 3, 1))
    size = min(0.3, 0.03 * np.exp(0.7 * rng.standard_normal())) * rng.uniform(
        0.2, 1, (ELECTRODES, 3, 1)
    )
    return (size / np.sqrt(f / 0.15) * np.sin(2 * np.pi * f * t + phase)).sum(axis=1)


def mains(rng: Rng, count: int, rate: float, frequency: float) -> Array:
    """Mains hum (9, T) mV: 50 or 60 Hz, in a third of records (our default), up to 0.05 mV."""
    if rng.random() > 1 / 3 or frequency >= rate / 2:
        return np.zeros((ELECTRODES, count))
    t = np.arange(count) / rate
    size = rng.uniform(0.003, 0.025) * rng.uniform(0.2, 2, (ELECTRODES, 1))
    return size * np.sin(2 * np.pi * frequency * t + rng.uniform(0, 2 * np.pi, (ELECTRODES, 1)))


def muscle(rng: Rng, count: int, rate: float) -> Array:
    """Muscle noise (9, T) mV in 20-150 Hz.

    Its size is log-normal around 0.008 mV rms and larger on the arms (our default).
    """
    spectrum = np.fft.rfft(rng.standard_normal((ELECTRODES, count)))
    f = np.fft.rfftfreq(count, 1 / rate)
    band = (f >= 20) & (f <= min(150, rate / 2))
    noise = np.fft.irfft(np.where(band, spectrum, 0), count)
    noise /= np.sqrt(max(band.mean(), 1e-9))
    size = min(0.05, 0.008 * np.exp(0.6 * rng.standard_normal()))
    share = rng.uniform(0.6, 1.2, (ELECTRODES, 1))
    share[:2] *= 1.3
    return size * share * noise


def steps(rng: Rng, count: int, rate: float) -> tuple[Array, bool]:
    """Electrode motion (9, T) mV, and whether there is any.

    In one record of twelve an electrode jumps by 0.1-0.4 mV and recovers within about a second.
    """
    out = np.zeros((ELECTRODES, count))
    happens = bool(rng.random() < 1 / 12)
    if happens:
        start = int(rng.uniform(0.05, 0.9) * count)
        t = np.arange(count - start) / rate
        size = rng.choice([-1, 1]) * rng.uniform(0.1, 0.4)
        out[rng.integers(ELECTRODES), start:] = size * np.exp(-t / rng.uniform(0.3, 1.5))
    return out, happens


def disturb(rng: Rng, count: int, rate: float, frequency: float) -> tuple[Array, list[str]]:
    """Sum all noise of one record: (9, T) in mV, and the quality flags that it causes."""
    drift = wander(rng, count, rate)
    hum = mains(rng, count, rate, frequency)
    jump, jumped = steps(rng, count, rate)
    total = drift + hum + muscle(rng, count, rate) + jump
    named = {
        "baseline_drift": np.abs(drift).max() > 0.2,
        "static_noise": np.abs(hum).max() > 0.03,
        "electrodes_problems": jumped,
    }
    return total, [name for name, present in named.items() if present]
