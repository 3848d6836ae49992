"""Change of sampling rate that knows about missing samples."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError

Mask = NDArray[np.bool_]


@lru_cache(maxsize=16)
def _filter(up: int, down: int) -> NDArray[np.float32]:
    """The low-pass filter that `resample_poly` would design anew in every call (its defaults)."""
    from scipy.signal import firwin  # slow to import

    widest = max(up, down)
    taps = firwin(20 * widest + 1, 1 / widest, window=("kaiser", 5.0))
    return np.asarray(taps, np.float32)


def resample(
    signal: NDArray[np.float32], rate: float, target: float, shown: Mask | None = None
) -> NDArray[np.float32]:
    """Resample by a polyphase low-pass filter (scipy's), missing samples staying missing.

    Gaps are bridged by each lead's mean for the filter's sake, and a result whose nearest source
    sample is missing is NaN again. Where something is not `shown`, that is a gap too, whatever it
    holds; all gaps are then bridged by lines from sample to sample, held at both ends, which leaves
    no step where a window ends, and a result counts by the nearest source sample that is shown.

    Args:
        signal: (leads, T) in mV, NaN where missing.
        rate, target: Hz.
        shown: (leads, T) bool at `rate`; no other sample has any influence. None shows all.

    Returns:
        (leads, round(T * target / rate)) float32.

    Raises:
        ConfigError: if the ratio of the rates is no simple fraction.
    """
    if rate == target:
        return signal if shown is None else np.where(shown, signal, np.float32(np.nan))
    from scipy.signal import resample_poly

    ratio = Fraction(target / rate).limit_denominator(1000)
    if abs(float(ratio) - target / rate) > 1e-9:
        raise ConfigError(
            "cannot resample between these rates",
            value=(rate, target),
            remedy="Choose a data.signal_rate in a simple ratio to the store's",
        )
    if shown is not None and shown.all():
        shown = None
    missing = np.isnan(signal) if shown is None else np.isnan(signal) | ~shown
    bridged: NDArray[np.floating] = signal
    if missing.any():
        bridged = (_by_mean if shown is None else _by_lines)(signal, missing)
    up, down = ratio.numerator, ratio.denominator
    out = resample_poly(bridged, up, down, axis=1, padtype="line", window=_filter(up, down))
    out = out[:, : round(signal.shape[1] * target / rate)].astype(np.float32)
    if missing.any():
        out[_gone(missing, shown, np.arange(out.shape[1]) * rate / target)] = np.nan
    return out


def resample_shown(
    signal: NDArray[np.float32], rate: float, target: float, length: int,
    shown: Callable[[int, float], Mask],
) -> tuple[NDArray[np.float32], Mask]:  # fmt: skip
    """What a mask leaves of a recording, at another rate.

    The mask comes first, at the recording's own rate. The other way round the filter would carry
    samples that nobody may see, a QRS beside the window above all, into the window's edges.

    Args:
        signal: (leads, T) in mV, NaN where missing.
        rate, target: Hz.
        length: samples of the results; NaN, and not observed, where the recording has ended.
        shown: from a number of samples and their rate to (leads, samples) bool.

    Returns:
        (leads, length) float32 in mV, and bool, True where shown and recorded. Neither hangs on a
        sample that is not shown; values where not observed mean nothing.

    Raises:
        ConfigError: as `resample`.
    """
    masked = rate != target  # else nothing is filtered, and the second mask is enough
    own = shown(signal.shape[1], rate) if masked else None
    out = fit_length(resample(signal, rate, target, own), length)
    return out, ~np.isnan(out) & shown(length, target)


def _by_mean(signal: NDArray[np.float32], missing: Mask) -> NDArray[np.floating]:
    """The signal with its gaps filled by each lead's mean, 0 in leads that hold nothing."""
    count = np.maximum((~missing).sum(1, keepdims=True), 1)
    mean = np.where(missing, 0, signal).sum(1, keepdims=True) / count
    return np.where(missing, mean, signal)


def _by_lines(signal: NDArray[np.float32], missing: Mask) -> NDArray[np.float32]:
    """The signal with its gaps filled by lines, held at both ends; 0 in leads that hold nothing."""
    out = np.where(missing, np.float32(0), signal)
    for lead in np.flatnonzero(~missing.all(1)):
        there = np.flatnonzero(~missing[lead])
        first, last = there[0], there[-1]
        out[lead, :first], out[lead, last + 1 :] = out[lead, first], out[lead, last]
        if last - first >= len(there):
            gaps = first + np.flatnonzero(missing[lead, first:last])
            out[lead, gaps] = np.interp(gaps, there, out[lead, there])
    return out


def _gone(missing: Mask, shown: Mask | None, place: NDArray[np.float64]) -> Mask:
    """Which results at `place`, in source samples, have no source sample; see `resample`."""
    last = missing.shape[1] - 1
    nearest = np.minimum(np.round(place).astype(int), last)
    if shown is None:
        return missing[:, nearest]
    below, above = np.floor(place + 1e-6).astype(int), np.ceil(place - 1e-6).astype(int)
    other = np.minimum(np.where(nearest == below, above, below), last)
    return np.where(shown[:, nearest], missing[:, nearest], missing[:, other])


def fit_length(signal: NDArray[np.float32], length: int, start: int = 0) -> NDArray[np.float32]:
    """`length` samples from `start` on; NaN where the recording has ended."""
    part = signal[:, start : start + length]
    if part.shape[1] == length:
        return part
    out = np.full((signal.shape[0], length), np.nan, np.float32)
    out[:, : part.shape[1]] = part
    return out
