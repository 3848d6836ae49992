"""The SNR of a waveform that was read off a page, by the rules of the PhysioNet Challenge 2024.

The Challenge's score (George B. Moody PhysioNet Challenge 2024, its public repository
`physionetchallenges/evaluation-2024` at commit 1a51354) is, for each record and lead:

1. Both curves are drawn into pictures of one row for each of 256 levels, from the least to the
   greatest value of either, and one column for each sample, and smoothed by a Gaussian of half a
   cell. The place of the pictures' greatest cross-correlation gives a shift in time and in voltage.
2. The curve that was read is moved by it; what leaves or enters is missing. A shift of more than
   0.5 s or 1 mV is not made.
3. SNR = 10 log10(mean x^2 / mean (x - y)^2) dB over the samples present in both, times the fraction
   of the reference's samples that were read. Nothing read counts 0 dB.

The score of a test set is the mean over records and leads. The Challenge leaves a lead without
noise or without signal out of that mean, and so do we (NaN).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from ecgvision.ecg import LEADS, DataError

LEVELS = 256
SMOOTHING = 0.5  # standard deviation in cells
LONGEST_SHIFT = 0.5  # seconds
HIGHEST_SHIFT = 1.0  # mV
"""All four: the Challenge's."""

SPREAD = 2
"""Cells that the smoothing carries a curve on: `gaussian_filter`'s four deviations."""

Curve = NDArray[np.float64]


class Shift(NamedTuple):
    """How far a curve lies from its reference: later by `samples`, higher by `mv`."""

    samples: int
    mv: float


def find_shift(reference: ArrayLike, read: ArrayLike) -> Shift:
    """The Challenge's estimate of how far a curve was moved when it was read.

    Args:
        reference, read: (T,) mV at one rate, NaN where missing; 0 and 0 where either is empty.

    Raises:
        DataError: for curves of different lengths.
    """
    x, y = check_curves(reference, read)
    seen = np.flatnonzero(np.isfinite(x) | np.isfinite(y))
    if not (np.isfinite(x).any() and np.isfinite(y).any()):
        return Shift(0, 0.0)
    around = slice(max(seen[0] - SPREAD, 0), seen[-1] + 1 + SPREAD)  # the rest is empty
    x, y = x[around], y[around]
    low = float(min(np.nanmin(x), np.nanmin(y)))
    high = float(max(np.nanmax(x), np.nanmax(y)))
    if high == low:
        return Shift(0, 0.0)
    a, b = (_picture(curve, low, high) for curve in (x, y))
    match = fftconvolve(b, a[::-1, ::-1], mode="full")
    row, column = np.unravel_index(int(match.argmax()), match.shape)
    level = (high - low) / (LEVELS - 1)
    return Shift(int(column) - (len(x) - 1), (int(row) - (LEVELS - 1)) * level)


def _picture(curve: Curve, low: float, high: float) -> NDArray[np.float32]:
    """(LEVELS, T): 1 where the curve passes, smoothed. In single precision: the transforms then
    take less than half the time, and find the same place."""
    seen = np.flatnonzero(np.isfinite(curve))
    level = np.round((curve[seen] - low) / (high - low) * (LEVELS - 1)).astype(int)
    picture = np.zeros((LEVELS, len(curve)), np.float32)
    picture[level, seen] = 1
    return np.asarray(gaussian_filter(picture, SMOOTHING), np.float32)


def unshifted(read: ArrayLike, shift: Shift, rate: float) -> Curve:
    """(T,): a curve moved back by its shift, NaN where nothing has moved to; unmoved where too far.

    Args:
        rate: Hz.
    """
    y = np.asarray(read, np.float64)
    if abs(shift.samples) > round(LONGEST_SHIFT * rate) or abs(shift.mv) > HIGHEST_SHIFT:
        return y
    out = np.full_like(y, np.nan)
    if shift.samples >= 0:
        out[: len(y) - shift.samples] = y[shift.samples :]
    else:
        out[-shift.samples :] = y[: shift.samples]
    return out - shift.mv


def align(reference: ArrayLike, read: ArrayLike, rate: float) -> tuple[Curve, Curve]:
    """Every lead moved onto its reference as the Challenge does it, and by how much in time.

    Args:
        reference, read: (N, 12, T) mV, NaN where not printed or not read.
        rate: Hz of both.

    Returns:
        (N, 12, T), what was read after its shift; and (N, 12), seconds by which it was late, made
        up for or not, NaN where either curve is empty.

    Raises:
        DataError: for other shapes, or a rate that is none.
    """
    if not (math.isfinite(rate) and rate > 0):
        raise DataError("the rate of curves must be a positive number of Hz", value=rate)
    x, y = check_records(reference, read)
    moved, late = np.empty_like(y), np.full(y.shape[:2], np.nan)
    for place in np.ndindex(*y.shape[:2]):
        shift = find_shift(x[place], y[place])
        moved[place] = unshifted(y[place], shift, rate)
        if np.isfinite(x[place]).any() and np.isfinite(y[place]).any():
            late[place] = shift.samples / rate
    return moved, late


def snr_db(reference: ArrayLike, read: ArrayLike) -> float:
    """The Challenge's SNR in dB of a curve that needs no more shift; step 3 above.

    Returns:
        NaN where the reference is empty or 0 throughout, or the reading is without any error.

    Raises:
        DataError: for curves of different lengths.
    """
    x, y = check_curves(reference, read)
    wanted = np.isfinite(x)
    both = wanted & np.isfinite(y)
    if not wanted.any():
        return math.nan
    if not both.any():
        return 0.0
    power = float(np.mean(x[both] ** 2))
    noise = float(np.mean((x[both] - y[both]) ** 2))
    if power == 0 or noise == 0:
        return math.nan
    return 10 * math.log10(power / noise) * float(both.sum() / wanted.sum())


def challenge_snr(reference: ArrayLike, read: ArrayLike, rate: float) -> Curve:
    """(N, 12) dB: the Challenge's SNR of every record and lead, after its alignment.

    The score is its `nanmean`.

    Args:
        reference, read: (N, 12, T) mV, NaN where not printed or not read.
        rate: Hz.

    Raises:
        DataError: for other shapes, or a rate that is none.
    """
    x, _ = check_records(reference, read)
    return lead_snr(x, align(x, read, rate)[0])


def lead_snr(reference: Curve, moved: Curve) -> Curve:
    """(N, 12) dB: `snr_db` of every record and lead."""
    out = np.empty(reference.shape[:2])
    for place in np.ndindex(*out.shape):
        out[place] = snr_db(reference[place], moved[place])
    return out


def check_curves(reference: ArrayLike, read: ArrayLike) -> tuple[Curve, Curve]:
    """Both as float64.

    Raises:
        DataError: if they are not (T,), both of one length.
    """
    x, y = np.asarray(reference, np.float64), np.asarray(read, np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) == 0:
        raise DataError("curves must be (T,), both of one length", value=(x.shape, y.shape),
                        remedy="Bring both to one rate and length; NaN where missing")  # fmt: skip
    return x, y


def check_records(reference: ArrayLike, read: ArrayLike) -> tuple[Curve, Curve]:
    """Both as float64.

    Raises:
        DataError: if they are not (N, 12, T), both of one shape.
    """
    x, y = np.asarray(reference, np.float64), np.asarray(read, np.float64)
    if x.ndim != 3 or x.shape != y.shape or x.shape[1] != len(LEADS) or x.shape[2] == 0:
        raise DataError("records must be (N, 12, T), both of one shape", value=(x.shape, y.shape),
                        remedy="Bring both to one rate and length; NaN where missing")  # fmt: skip
    return x, y
