"""Resampling that handles missing samples."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError

Mask = NDArray[np.bool_]


KAISER_BETA, REACH = 5.0, 10
"""Shape of the filter's Kaiser window, and its half length in samples of the lower rate; those of
`scipy.signal.resample_poly`."""


@lru_cache(maxsize=16)
def _filter(up: int, down: int) -> NDArray[np.float32]:
    """Return the low-pass filter: a sinc with a Kaiser window, of unit gain."""
    widest = max(up, down)
    half = REACH * widest
    taps = np.sinc(np.arange(-half, half + 1) / widest) * np.kaiser(2 * half + 1, KAISER_BETA)
    return np.asarray(taps / taps.sum() * up, np.float32)


def _polyphase(signal: NDArray[np.floating], up: int, down: int) -> NDArray[np.floating]:
    """Filter and resample (leads, T); a lead continues on the line from its first to its last."""
    taps, count = _filter(up, down), signal.shape[1]
    length, half = -(-count * up // down), len(taps) // 2
    reach = half // up + 2
    slope = (signal[:, -1:] - signal[:, :1]) / max(count - 1, 1)
    away = np.arange(-reach, 0, dtype=signal.dtype) * slope
    x = np.concatenate([signal[:, :1] + away, signal, signal[:, -1:] - away[:, ::-1]], axis=1)
    out = np.empty((len(signal), length), signal.dtype)
    for phase in range(min(up, length)):  # every `up`-th result meets the same taps
        first, offset = divmod(phase * down, up)
        skipped = (offset + half) % up
        met = taps[skipped::up][::-1]
        start = reach + first + (offset + half - skipped) // up - len(met) + 1
        part = out[:, phase::up]
        part[:] = sliding_window_view(x, len(met), axis=1)[:, start::down][:, : part.shape[1]] @ met
    return out


def resample(
    signal: NDArray[np.float32], rate: float, target: float, shown: Mask | None = None
) -> NDArray[np.float32]:
    """Resample with the low-pass filter of `scipy.signal.resample_poly`; gaps stay gaps.

    For the filter, gaps are filled with each lead's mean. A result whose nearest source sample is
    missing is NaN.

    Samples that are not `shown` are gaps too, whatever their value. With such samples, all gaps are
    filled by linear interpolation, with constant values at both ends, which leaves no step where a
    window ends. The nearest source sample that is shown then decides whether a result is NaN.

    Args:
        signal: (leads, T) in mV, NaN where missing.
        rate, target: Hz.
        shown: (leads, T) bool at `rate`; no other sample has any influence. None shows all.

    Returns:
        (leads, round(T * target / rate)) float32.

    Raises:
        ConfigError: if the ratio of the rates is not a simple fraction.
    """
    if rate == target:
        return signal if shown is None else np.where(shown, signal, np.float32(np.nan))
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
    out = _polyphase(bridged, up, down)
    out = out[:, : round(signal.shape[1] * target / rate)].astype(np.float32)
    if missing.any():
        place = np.arange(out.shape[1], dtype=np.float64) * rate / target
        out[_gone(missing, shown, place)] = np.nan
    return out


def resample_shown(
    signal: NDArray[np.float32], rate: float, target: float, length: int,
    shown: Callable[[int, float], Mask],
) -> tuple[NDArray[np.float32], Mask]:  # fmt: skip
    """Mask a recording and resample it.

    The mask is applied first, at the recording's own rate. In the reverse order, the filter would
    carry hidden samples into the window's edges, above all a QRS complex beside the window.

    Args:
        signal: (leads, T) in mV, NaN where missing.
        rate, target: Hz.
        length: samples of the results; NaN and not observed after the end of the recording.
        shown: function from a number of samples and their rate to (leads, samples) bool.

    Returns:
        (leads, length) float32 in mV, and bool, True where shown and recorded. Neither depends on a
        sample that is not shown. Values where not observed are meaningless.

    Raises:
        ConfigError: as in `resample`.
    """
    masked = rate != target  # at equal rates nothing is filtered, and the second mask is enough
    own = shown(signal.shape[1], rate) if masked else None
    out = fit_length(resample(signal, rate, target, own), length)
    return out, ~np.isnan(out) & shown(length, target)


def _by_mean(signal: NDArray[np.float32], missing: Mask) -> NDArray[np.floating]:
    """Fill gaps with each lead's mean, 0 in leads without samples."""
    count = np.maximum((~missing).sum(1, keepdims=True), 1)
    mean = np.where(missing, 0, signal).sum(1, keepdims=True) / count
    return np.where(missing, mean, signal)


def _by_lines(signal: NDArray[np.float32], missing: Mask) -> NDArray[np.float32]:
    """Fill gaps by linear interpolation, constant at both ends; 0 in leads without samples."""
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
    """Return which results at `place`, in source samples, have no source sample; see `resample`."""
    last = missing.shape[1] - 1
    nearest = np.minimum(np.round(place).astype(int), last)
    if shown is None:
        return missing[:, nearest]
    below, above = np.floor(place + 1e-6).astype(int), np.ceil(place - 1e-6).astype(int)
    other = np.minimum(np.where(nearest == below, above, below), last)
    return np.where(shown[:, nearest], missing[:, nearest], missing[:, other])


def fit_length(signal: NDArray[np.float32], length: int, start: int = 0) -> NDArray[np.float32]:
    """Return `length` samples from `start` on; NaN after the end of the recording."""
    part = signal[:, start : start + length]
    if part.shape[1] == length:
        return part
    out = np.full((signal.shape[0], length), np.nan, np.float32)
    out[:, : part.shape[1]] = part
    return out
