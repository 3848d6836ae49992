"""Change of sampling rate that knows about missing samples."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecgvision.ecg import ConfigError


@lru_cache(maxsize=16)
def _filter(up: int, down: int) -> NDArray[np.float32]:
    """The low-pass filter that `resample_poly` would design anew in every call (its defaults)."""
    from scipy.signal import firwin  # slow to import

    widest = max(up, down)
    taps = firwin(20 * widest + 1, 1 / widest, window=("kaiser", 5.0))
    return np.asarray(taps, np.float32)


def resample(signal: NDArray[np.float32], rate: float, target: float) -> NDArray[np.float32]:
    """Resample by a polyphase low-pass filter (scipy's), missing samples staying missing.

    Gaps are bridged by each lead's mean for the filter's sake, and a result whose nearest source
    sample is missing is NaN again.

    Args:
        signal: (leads, T) in mV, NaN where missing.
        rate, target: Hz.

    Returns:
        (leads, round(T * target / rate)) float32.

    Raises:
        ConfigError: if the ratio of the rates is no simple fraction.
    """
    if rate == target:
        return signal
    from scipy.signal import resample_poly

    ratio = Fraction(target / rate).limit_denominator(1000)
    if abs(float(ratio) - target / rate) > 1e-9:
        raise ConfigError(
            "cannot resample between these rates",
            value=(rate, target),
            remedy="Choose a data.signal_rate in a simple ratio to the store's",
        )
    missing = np.isnan(signal)
    if missing.any():
        count = np.maximum((~missing).sum(1, keepdims=True), 1)
        mean = np.where(missing, 0, signal).sum(1, keepdims=True) / count
        signal = np.where(missing, mean, signal)
    up, down = ratio.numerator, ratio.denominator
    out = resample_poly(signal, up, down, axis=1, padtype="line", window=_filter(up, down))
    out = out[:, : round(signal.shape[1] * target / rate)].astype(np.float32)
    if missing.any():
        nearest = np.minimum(
            np.round(np.arange(out.shape[1]) * rate / target).astype(int), signal.shape[1] - 1
        )
        out[missing[:, nearest]] = np.nan
    return out


def fit_length(signal: NDArray[np.float32], length: int, start: int = 0) -> NDArray[np.float32]:
    """`length` samples from `start` on; NaN where the recording has ended."""
    part = signal[:, start : start + length]
    if part.shape[1] == length:
        return part
    out = np.full((signal.shape[0], length), np.nan, np.float32)
    out[:, : part.shape[1]] = part
    return out
