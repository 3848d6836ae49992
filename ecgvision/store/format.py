"""Format of a packed store: file names, version, and the int16 encoding of a signal."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import StoreError

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

    Raises:
        StoreError: if the shape is wrong or a value is infinite.
    """
    if signal.ndim != 2 or signal.shape[0] != len(LEADS) or signal.shape[1] < 1:
        raise StoreError("a signal must have shape (12, T)", value=signal.shape)
    size = StepSize()
    size.add(signal)
    return quantise(signal, size.scale), size.scale


class StepSize:
    """Finds the scale of a record, in mV per step, from its values part by part.

    Signals on the 1 uV grid of most archives are stored without loss. Other signals get the finest
    step at which their largest value fits (error at most half a step).
    """

    def __init__(self) -> None:
        self._peak, self._on_grid = 0.0, True

    def add(self, values: NDArray[np.floating[Any]]) -> None:
        """Take a part of the record into account; values of any shape in mV, NaN where missing.

        Raises:
            StoreError: if a value is infinite.
        """
        found = values[~np.isnan(values)].astype(np.float64)
        peak = float(np.abs(found).max(initial=0))
        if not np.isfinite(peak):
            raise StoreError("a signal holds infinite values", remedy="Mark missing values as NaN")
        self._peak = max(self._peak, peak)
        if self._on_grid and peak <= _PEAK * MICROVOLT:
            found /= MICROVOLT
            # Hundredths of a microvolt are float32 rounding at these amplitudes, not information.
            self._on_grid = bool(np.abs(found - np.rint(found)).max(initial=0) < 0.01)

    @property
    def scale(self) -> float:
        """Millivolts per step."""
        if self._on_grid and self._peak <= _PEAK * MICROVOLT:
            return MICROVOLT
        return max(self._peak / _PEAK, float(np.finfo(np.float32).tiny))


def quantise(values: NDArray[np.floating[Any]], scale: float) -> NDArray[np.int16]:
    """Return int16 steps of values of any shape in mV; `MISSING` where NaN."""
    missing = np.isnan(values)
    steps = np.where(missing, 0.0, values.astype(np.float64))
    steps /= scale
    quantised = np.rint(steps, out=steps).astype(np.int16)
    quantised[missing] = MISSING
    return quantised


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
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
