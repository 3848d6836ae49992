"""Signal-to-noise ratios of a digitised waveform, by three rules.

`snr_db`, ours, follows the George B. Moody PhysioNet Challenge 2024. For each record and lead:

1. Both curves are drawn as images with 256 rows, from the minimum to the maximum value of either,
   and one column per sample, then smoothed by a Gaussian of half a cell. The maximum of the images'
   cross-correlation gives a shift in time and in voltage.
2. The reading is shifted by it; samples that leave or enter are missing. A shift of more than 0.5 s
   or 1 mV is not applied.
3. SNR = 10 log10(mean x^2 / mean (x - y)^2) dB over the samples present in both, times the fraction
   of the reference's samples that were read. A lead of which nothing was read counts 0 dB.

`snr_official_db` is the result of the Challenge's scorer (public repository
`physionetchallenges/evaluation-2024` at commit 1a51354). It differs in step 2 for early readings:
of a reading that is early by k samples, the scorer keeps the first k samples and drops all others.
Early readings therefore score far lower by it than by ours.

By both rules, the score of a test set is the mean over records and leads, without leads that have
no noise or no signal (NaN).

The third rule, that of the Kaggle competition "PhysioNet - Digitization of ECG Images" (2025), is
in `snr_kaggle`. Values of different rules must not be compared.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import DataError

LEVELS = 256
SMOOTHING = 0.5  # standard deviation in cells
LONGEST_SHIFT = 0.5  # seconds
HIGHEST_SHIFT = 1.0  # mV
"""All four constants are the Challenge's."""

SPREAD = 2
"""Reach of the smoothing in cells: `gaussian_filter` cuts off at four standard deviations."""

Curve = NDArray[np.float64]


class Shift(NamedTuple):
    """Shift of a curve relative to its reference: later by `samples`, higher by `mv`."""

    samples: int
    mv: float


def find_shift(reference: ArrayLike, read: ArrayLike) -> Shift:
    """Estimate the shift of a curve relative to its reference, by the Challenge's method.

    Args:
        reference, read: (T,) mV at one rate, NaN where missing. If either is empty, the shift is 0
            and 0.

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
    """Draw a curve as (LEVELS, T): 1 where it passes, then smoothed.

    In single precision, the transforms take less than half the time and find the same maximum.
    """
    seen = np.flatnonzero(np.isfinite(curve))
    level = np.round((curve[seen] - low) / (high - low) * (LEVELS - 1)).astype(int)
    picture = np.zeros((LEVELS, len(curve)), np.float32)
    picture[level, seen] = 1
    return np.asarray(gaussian_filter(picture, SMOOTHING), np.float32)


def unshifted(read: ArrayLike, shift: Shift, rate: float) -> Curve:
    """Undo the shift of a curve: (T,), NaN where no sample remains.

    The curve is unchanged if the shift is too large.

    Args:
        rate: Hz.
    """
    y = np.asarray(read, np.float64)
    if _too_far(shift, rate):
        return y
    out = np.full_like(y, np.nan)
    if shift.samples >= 0:
        out[: len(y) - shift.samples] = y[shift.samples :]
    else:
        out[-shift.samples :] = y[: shift.samples]
    return out - shift.mv


def unshifted_official(read: ArrayLike, shift: Shift, rate: float) -> Curve:
    """Undo the shift as the Challenge's scorer does it, which differs for early readings: (T,).

    Of a reading that is early by k samples the first k are kept, moved k samples later; the rest is
    missing. Samples beyond the end of the curve are cut off: the reference has none there.
    """
    y = np.asarray(read, np.float64)
    early = -shift.samples
    if early <= 0 or _too_far(shift, rate):
        return unshifted(y, shift, rate)
    out = np.full_like(y, np.nan)
    kept = y[:early][: max(len(y) - early, 0)]
    out[early : early + len(kept)] = kept
    return out - shift.mv


def _too_far(shift: Shift, rate: float) -> bool:
    """Return whether a shift is larger than the Challenge corrects."""
    return abs(shift.samples) > round(LONGEST_SHIFT * rate) or abs(shift.mv) > HIGHEST_SHIFT


class Aligned(NamedTuple):
    """Readings aligned with their references.

    Attributes:
        moved: (N, 12, T) mV, each reading after its shift.
        official: (N, 12, T) mV, the same by the Challenge's scorer.
        late: (N, 12) seconds by which each reading was late, corrected or not; NaN where either
            curve is empty.
    """

    moved: Curve
    official: Curve
    late: Curve


def align(reference: ArrayLike, read: ArrayLike, rate: float) -> Aligned:
    """Align every lead with its reference: steps 1 and 2 of the Challenge's rule.

    Args:
        reference, read: (N, 12, T) mV, NaN where not printed or not read.
        rate: Hz of both.

    Raises:
        DataError: for other shapes, or an invalid rate.
    """
    check_rate(rate)
    x, y = check_records(reference, read)
    moved, official, late = np.empty_like(y), np.empty_like(y), np.full(y.shape[:2], np.nan)
    for place in np.ndindex(*y.shape[:2]):
        shift = find_shift(x[place], y[place])
        moved[place] = unshifted(y[place], shift, rate)
        official[place] = unshifted_official(y[place], shift, rate)
        if np.isfinite(x[place]).any() and np.isfinite(y[place]).any():
            late[place] = shift.samples / rate
    return Aligned(moved, official, late)


def snr_db(reference: ArrayLike, read: ArrayLike) -> float:
    """Return the SNR in dB of a curve that is already aligned; step 3 above.

    Returns:
        NaN where the reference is empty or 0 throughout, or the reading has no error.

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


def challenge_snr(
    reference: ArrayLike, read: ArrayLike, rate: float, *, official: bool = False
) -> Curve:
    """Return (N, 12) dB: the SNR of every record and lead after alignment.

    The score is its `nanmean`.

    Args:
        reference, read: (N, 12, T) mV, NaN where not printed or not read.
        rate: Hz.
        official: by the Challenge's own scorer, which drops most of an early reading.

    Raises:
        DataError: for other shapes, or an invalid rate.
    """
    x, _ = check_records(reference, read)
    aligned = align(x, read, rate)
    return lead_snr(x, aligned.official if official else aligned.moved)


def lead_snr(reference: Curve, moved: Curve) -> Curve:
    """Return (N, 12) dB: `snr_db` of every record and lead."""
    out = np.empty(reference.shape[:2])
    for place in np.ndindex(*out.shape):
        out[place] = snr_db(reference[place], moved[place])
    return out


def check_rate(rate: float) -> None:
    """Refuse a rate that is not a positive number of Hz.

    Raises:
        DataError: naming it.
    """
    if not (math.isfinite(rate) and rate > 0):
        raise DataError("the rate of curves must be a positive number of Hz", value=rate)


def check_curves(reference: ArrayLike, read: ArrayLike) -> tuple[Curve, Curve]:
    """Return both curves as float64.

    Raises:
        DataError: if they are not (T,), both of one length.
    """
    x, y = np.asarray(reference, np.float64), np.asarray(read, np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) == 0:
        raise DataError("curves must be (T,), both of one length", value=(x.shape, y.shape),
                        remedy="Bring both to one rate and length; NaN where missing")  # fmt: skip
    return x, y


def check_records(reference: ArrayLike, read: ArrayLike) -> tuple[Curve, Curve]:
    """Return both records as float64.

    Raises:
        DataError: if they are not (N, 12, T), both of one shape.
    """
    x, y = np.asarray(reference, np.float64), np.asarray(read, np.float64)
    if x.ndim != 3 or x.shape != y.shape or x.shape[1] != len(LEADS) or x.shape[2] == 0:
        raise DataError("records must be (N, 12, T), both of one shape", value=(x.shape, y.shape),
                        remedy="Bring both to one rate and length; NaN where missing")  # fmt: skip
    return x, y
