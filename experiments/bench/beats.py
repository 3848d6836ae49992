"""Made-up ECGs that benchmarks and tests of drawing use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def beats(rate: int, seed: int) -> NDArray[np.float32]:
    """Return (12, 10 * rate) mV: 75 beats/min with P, QRS and T, drift and a little noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(10 * rate) / rate
    waves = ((-0.16, 0.03, 0.12), (-0.02, 0.008, -0.1), (0.0, 0.012, 1.0), (0.03, 0.012, -0.3))
    shape = np.zeros_like(t)
    for middle in np.arange(0.4, 10.2, 0.8) + rng.normal(0, 0.02, 13):
        for at, width, height in (*waves, (0.28, 0.05, 0.3)):
            shape += height * np.exp(-(((t - middle - at) / width) ** 2) / 2)
    size = rng.uniform(0.3, 1.6, 12) * rng.choice([-1, 1], 12)
    drift = 0.1 * np.sin(2 * np.pi * (0.2 * t + rng.random((12, 1))))
    noise = rng.normal(0, 0.0012, (12, t.size))  # second differences as in PTB-XL at 500 Hz
    return (size[:, None] * shape + drift + noise).astype(np.float32)
