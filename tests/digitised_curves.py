"""Curves, and what was read of them, for tests of how well that was."""

from __future__ import annotations

import numpy as np

RATE = 100.0


def curve(length: int = 300, seed: int = 0) -> np.ndarray:
    """An irregular rhythm, so that only one shift fits."""
    rng = np.random.default_rng(seed)
    t = np.arange(length) / RATE
    beats = np.cumsum(rng.uniform(0.5, 1.1, 10))
    spikes = sum(np.exp(-((t - b) ** 2) / 0.0006) - 0.3 * np.exp(-((t - b - 0.06) ** 2) / 0.001)
                 for b in beats)  # fmt: skip
    return spikes + 0.1 * np.sin(2 * np.pi * 0.4 * t)


def misread(
    x: np.ndarray, *, late: int, up: float, missing: int, rng: np.random.Generator
) -> np.ndarray:
    """A curve read `late` samples late (early where negative), `up` mV high, with noise and a
    stretch of at most `missing` samples missing."""
    y = np.full_like(x, np.nan)
    y[max(0, late) : len(x) + min(0, late)] = x[max(0, -late) : len(x) - max(0, late)]
    y += up + 0.05 * rng.standard_normal(len(x))
    start = int(rng.integers(len(x)))
    y[start : start + missing] = np.nan
    return y


def records(n: int = 2, length: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((n, 12, length))
    y = x + 0.3 * rng.standard_normal(x.shape)
    x[rng.random(x.shape) < 0.2] = np.nan
    y[rng.random(x.shape) < 0.2] = np.nan
    x[0, 3] = np.nan
    return x, y
