"""Clinical measurements on a digitised curve: errors of wave amplitudes and beat intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import find_peaks

from ecgvision.reader.judge.snr import check_curves

TALL = 0.5
"""Minimum height of a measured wave, relative to the largest deflection. Our default: it selects
QRS complexes, and T waves as tall."""

APART = 0.3
"""Minimum seconds between two measured waves; our default: a heart rate of 200 per minute."""

NEAR = 0.06
"""Seconds to either side of a wave in which it is searched for on the reading. Our default: half of
a wide QRS complex. The error of an interval is at most twice that."""


class BeatErrors(NamedTuple):
    """Mean absolute errors of one curve, NaN where there was nothing to measure.

    Attributes:
        amplitude_mv: of the peaks of waves.
        interval_s: of the intervals between neighbouring waves.
    """

    amplitude_mv: float
    interval_s: float


def find_waves(curve: ArrayLike, rate: float) -> NDArray[np.int64]:
    """Return the samples of the tallest waves of a curve, above or below its median.

    Args:
        curve: (T,) mV, NaN where missing.
        rate: Hz.
    """
    x = np.asarray(curve, np.float64)
    seen = np.isfinite(x)
    if not seen.any():
        return np.empty(0, np.int64)
    height = np.where(seen, np.abs(x - np.median(x[seen])), 0.0)
    if height.max() == 0:
        return np.empty(0, np.int64)
    peaks, _ = find_peaks(height, height=TALL * height.max(), distance=max(1, round(APART * rate)))
    return peaks.astype(np.int64)


def beat_errors(reference: ArrayLike, read: ArrayLike, rate: float) -> BeatErrors:
    """Return the amplitude and interval errors at the waves of the reference.

    A wave is searched for on the reading as the largest deflection to the same side near its true
    position. Waves with a missing sample nearby on either curve are left out, and so are the
    intervals next to them.

    Args:
        reference, read: (T,) mV at one rate, NaN where missing, after alignment.
        rate: Hz.

    Raises:
        DataError: for curves of different lengths, or empty ones.
    """
    x, y = check_curves(reference, read)
    waves, near = find_waves(x, rate), max(1, round(NEAR * rate))
    middle = np.median(x[np.isfinite(x)]) if len(waves) else 0.0
    amplitude, moved = [], np.full(len(waves), np.nan)
    for number, wave in enumerate(waves):
        around = slice(wave - near, wave + near + 1)
        if wave < near or not np.isfinite(x[around] + y[around]).all() or wave + near >= len(x):
            continue
        side = 1.0 if x[wave] >= middle else -1.0
        found = int(np.argmax(side * y[around]))
        amplitude.append(abs(y[around][found] - x[wave]))
        moved[number] = (found - near) / rate
    intervals = np.abs(np.diff(moved))
    intervals = intervals[np.isfinite(intervals)]
    return BeatErrors(
        float(np.mean(amplitude)) if amplitude else float("nan"),
        float(intervals.mean()) if len(intervals) else float("nan"),
    )
