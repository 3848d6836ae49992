"""The score of the Kaggle competition "PhysioNet - Digitization of ECG Images" (2025).

For each image and lead, over the printed stretch:

1. The reading is shifted in time by the lag within 0.2 s that maximises its cross-correlation with
   the reference, both without their means. Of equal lags the shortest counts.
2. The constant that minimises the squared error over the samples it then covers is subtracted.
3. Signal power is the sum of x^2, noise power the sum of (x - y)^2. Samples without a reading count
   as 0 mV.

An image's ratio is the sum of its leads' signal powers over the sum of their noise powers, at most
384. The score is 10 log10 of the mean ratio over images. Competitors submit a number for every
sample, so a sample that was not read counts as 0 mV from the start.

Source: the competition's public metric notebook ("PhysioNet ECG signal extraction metric").
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import correlate

from ecgvision.reader.judge.snr import Curve, check_curves, check_rate, check_records

LONGEST_SHIFT = 0.2  # seconds
GREATEST_RATIO = 384.0
"""Both constants are the competition's. An image read without any error has the maximum ratio, 25.8
dB."""

COLUMNS = ("kaggle_signal", "kaggle_noise")
"""Names of the two powers in a table of leads."""


def lead_powers(reference: ArrayLike, read: ArrayLike, rate: float) -> tuple[float, float]:
    """Return the signal and noise power of one lead; 0 and 0 if none is printed.

    Powers are in mV^2, summed over samples.

    Args:
        reference, read: (T,) mV at one rate, NaN where not printed or not read.
        rate: Hz.

    Raises:
        DataError: for curves of different lengths, or an invalid rate.
    """
    check_rate(rate)
    x, y = check_curves(reference, read)
    printed = np.flatnonzero(np.isfinite(x))
    if not len(printed):
        return 0.0, 0.0
    stretch = slice(printed[0], printed[-1] + 1)
    x, y = x[stretch], np.nan_to_num(y[stretch], nan=0.0)
    wanted = np.isfinite(x)
    moved = _moved(x, y, _lag(x, y, int(rate * LONGEST_SHIFT)))
    both = wanted & np.isfinite(moved)
    if both.any():
        moved -= np.mean(moved[both] - x[both])
    noise = x - np.nan_to_num(moved, nan=0.0)
    return float(np.sum(x[wanted] ** 2)), float(np.sum(noise[wanted] ** 2))


def _lag(x: Curve, y: Curve, longest: int) -> int:
    """Return the number of samples by which `y` has to be delayed; gaps of `x` are ignored."""
    a = np.nan_to_num(x - np.nanmean(x), nan=0.0)
    match = correlate(a, y - y.mean(), mode="full")
    lags = np.arange(-len(y) + 1, len(x))
    near = np.abs(lags) <= longest
    best = lags[near][match[near] == match[near].max()]
    return int(best[np.argmin(np.abs(best))])


def _moved(x: Curve, y: Curve, lag: int) -> Curve:
    out = np.full_like(x, np.nan)
    if lag >= 0:
        out[lag:] = y[: len(y) - lag]
    else:
        out[:lag] = y[-lag:]
    return out


def powers(
    reference: ArrayLike, read: ArrayLike, rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `lead_powers` of every record and lead, (N, 12) each.

    Raises:
        DataError: for shapes other than (N, 12, T), both the same, or an invalid rate.
    """
    x, y = check_records(reference, read)
    signal, noise = np.empty(x.shape[:2]), np.empty(x.shape[:2])
    for place in np.ndindex(*x.shape[:2]):
        signal[place], noise[place] = lead_powers(x[place], y[place], rate)
    return signal, noise


def ratios(signal: ArrayLike, noise: ArrayLike) -> NDArray[np.float64]:
    """Return the ratio of each image, (N,), from (N,) sums of its leads' powers."""
    s, n = np.asarray(signal, np.float64), np.asarray(noise, np.float64)
    ratio = np.divide(s, n, out=np.full(s.shape, GREATEST_RATIO), where=n > 0)
    return np.minimum(ratio, GREATEST_RATIO)


def score_db(ratio: ArrayLike) -> float:
    """Return the score in dB of images with these ratios.

    NaN for no images, minus infinity for no signal.
    """
    values = np.asarray(ratio, np.float64)
    if not values.size:
        return math.nan
    mean = float(values.mean())
    return 10 * math.log10(mean) if mean > 0 else -math.inf


def kaggle_snr(reference: ArrayLike, read: ArrayLike, rate: float) -> float:
    """Return the competition's score of N images in dB.

    Args:
        reference, read: (N, 12, T) mV, NaN where not printed or not read.
        rate: Hz of both.

    Raises:
        DataError: for other shapes, or an invalid rate.
    """
    signal, noise = powers(reference, read, rate)
    return score_db(ratios(signal.sum(-1), noise.sum(-1)))
