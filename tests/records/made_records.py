"""Records made by the tests: an ECG of known values, written in the formats and spellings of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.limb_leads import LIMB_FROM_I_II

RATE = 250


def ecg_mv(seconds: float = 4.0, rate: float = RATE) -> NDArray[np.float64]:
    """(12, T) mV on the grid of 2 uV, which limb leads obey exactly: beats of about 1 mV."""
    t = np.arange(round(seconds * rate)) / rate
    beat = sum(
        height * np.exp(-(((t % 0.8) - at) ** 2) / (2 * width**2))
        for height, at, width in ((0.12, 0.2, 0.025), (1.0, 0.36, 0.012), (0.25, 0.6, 0.05))
    )
    wander = 0.05 * np.sin(2 * np.pi * 0.31 * t)
    own = np.array([[0.7], [1.1], [-0.5], [-0.9], [0.6], [1.4], [1.2], [0.8]]) * beat
    own = 0.002 * np.round((own + wander * np.arange(1, 9)[:, None] / 8) / 0.002)
    return np.concatenate([LIMB_FROM_I_II.astype(float) @ own[:2], own[2:]])


def write_wfdb(
    folder: Path, signal: NDArray[np.floating], *, leads: Sequence[str] = LEADS, rate: float = RATE,
    gain: str = "1000(0)/mV", name: str = "r", steps_per_mv: float = 1000,
) -> Path:  # fmt: skip
    """Write (C, T) in mV as a WFDB record of format 16, NaN as missing; returns the header."""
    steps = np.where(np.isnan(signal), -32768, np.round(signal * steps_per_mv)).astype("<i2")
    lines = [f"{name} {len(leads)} {rate:g} {steps.shape[1]}"]
    lines += [f"{name}.dat 16 {gain} 16 0 0 0 0 {lead}" for lead in leads]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.dat").write_bytes(steps.T.tobytes())
    return folder / f"{name}.hea"
