"""Format of a packed store: file names, version, and the int16 encoding of a signal."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import StoreError
from ecgvision.core.input_files import open_input

FORMAT = "ecgvision-store"
VERSION = 1
MISSING = -32768
"""The int16 value that encodes NaN."""
SIGNALS, RECORDS, MANIFEST = "signals.npy", "records.parquet", "store.json"
COLUMNS = (
    "record_id",
    "offset",
    "length",
    "scale",
    "patient_id",
    "fold",
    "scp_codes",
    "age",
    "sex",
    "device",
    "site",
    "flags",
)
"""Columns of every store; the `y_<COLUMN>` label columns and the source's own columns follow."""
MICROVOLT = 0.001
_PEAK = 32767


def encode(signal: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int16], float]:
    """Quantise a (12, T) signal in mV with NaN to int16; return it with the scale in mV per step.

    Signals on the 1 uV grid of most archives are stored without loss. Other signals get the finest
    step at which their largest value fits (error at most half a step).

    Raises:
        StoreError: if the shape is wrong or a value is infinite.
    """
    if signal.ndim != 2 or signal.shape[0] != len(LEADS) or signal.shape[1] < 1:
        raise StoreError("a signal must have shape (12, T)", value=signal.shape)
    missing = np.isnan(signal)
    values = np.where(missing, 0.0, signal.astype(np.float64))
    peak = float(np.abs(values).max())
    if not np.isfinite(peak):
        raise StoreError("a signal holds infinite values", remedy="Mark missing values as NaN")
    steps = values / MICROVOLT
    # Hundredths of a microvolt are float32 rounding at these amplitudes, not information.
    on_grid = peak <= _PEAK * MICROVOLT and bool(np.abs(steps - np.rint(steps)).max() < 0.01)
    scale = MICROVOLT if on_grid else max(peak / _PEAK, float(np.finfo(np.float32).tiny))
    quantised = np.rint(values / scale).astype(np.int16)
    quantised[missing] = MISSING
    return quantised, scale


def decode(values: NDArray[np.int16], scale: float) -> NDArray[np.float32]:
    """Convert int16 steps of any shape to float32 mV, NaN where missing."""
    signal = values.astype(np.float32)
    signal *= np.float32(scale)
    missing = values == MISSING
    if missing.any():
        signal[missing] = np.nan
    return signal


def file_sha256(path: str | Path) -> str:
    """Return the sha256 of a file in hex, read in chunks."""
    with open_input(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
