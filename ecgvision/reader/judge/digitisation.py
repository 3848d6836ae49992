"""Metrics of digitised waveforms, for every lead."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgvision.core.errors import DataError
from ecgvision.reader.judge.beats import beat_errors
from ecgvision.reader.judge.snr import Curve, align, check_records, lead_snr

FIGURES = ("snr_db", "snr_official_db", "correlation", "rmse_mv", "amplitude_error_mv",
           "interval_error_s", "time_shift_s", "presence_accuracy")  # fmt: skip
"""Metrics of every lead.

The SNR by our rule and by the Challenge's own scorer (see `snr`); correlation, root mean square
error, and errors of amplitudes and intervals (see `beats`), all after our alignment; the absolute
time shift of that alignment; and the share of samples correctly classified as printed or not."""


def digitisation(
    reference: ArrayLike, read: ArrayLike, rate: float, *, printed: ArrayLike, found: ArrayLike
) -> dict[str, Curve]:
    """Return every metric of `FIGURES`, (N, 12) each, NaN where it is not defined.

    Args:
        reference, read: (N, 12, T) mV, NaN where not printed or not read.
        rate: Hz.
        printed, found: (N, 12, L) bool, at any rate.

    Raises:
        DataError: for other shapes or types.
    """
    x, _ = check_records(reference, read)
    moved, official, late = align(reference, read, rate)
    beats = np.empty((*late.shape, 2))
    for place in np.ndindex(*late.shape):
        beats[place] = beat_errors(x[place], moved[place], rate)
    tables = (lead_snr(x, moved), lead_snr(x, official), correlation(x, moved), rmse(x, moved),
              beats[..., 0], beats[..., 1], np.abs(late),
              presence_accuracy(printed, found))  # fmt: skip
    return dict(zip(FIGURES, tables, strict=True))


def correlation(reference: ArrayLike, read: ArrayLike) -> Curve:
    """Return (N, 12): Pearson's correlation over the samples present in both, without alignment.

    NaN where fewer than two are present, or the reference is flat; 0 where only the reading is
    flat.

    Raises:
        DataError: for shapes other than (N, 12, T), both the same.
    """
    x, y, both = _common(reference, read)
    count = both.sum(-1)
    scale = both / np.maximum(count, 1)[..., None]
    dx = np.where(both, x - (x * scale).sum(-1, keepdims=True), 0)
    dy = np.where(both, y - (y * scale).sum(-1, keepdims=True), 0)
    waves_x, waves_y = _waves(x, both), _waves(y, both)
    power = (dx * dx).sum(-1) * (dy * dy).sum(-1)
    r = (dx * dy).sum(-1) / np.sqrt(np.where(waves_x & waves_y, power, 1))
    return np.where((count > 1) & waves_x, np.where(waves_y, r, 0.0), np.nan)


def _waves(values: Curve, both: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (N, 12): whether any two of the values that count differ.

    Unlike sums of squares, the comparison is exact.
    """
    low = np.where(both, values, np.inf).min(-1)
    return np.where(both, values, -np.inf).max(-1) > low


def rmse(reference: ArrayLike, read: ArrayLike) -> Curve:
    """Return (N, 12) mV: root mean square error over the samples present in both; NaN if none.

    Raises:
        DataError: for shapes other than (N, 12, T), both the same.
    """
    x, y, both = _common(reference, read)
    count = both.sum(-1)
    mean = ((x - y) ** 2).sum(-1) / np.maximum(count, 1)
    return np.where(count > 0, np.sqrt(mean), np.nan)


def presence_accuracy(printed: ArrayLike, found: ArrayLike) -> Curve:
    """Return (N, 12): fraction of samples that were correctly classified as printed or not.

    Args:
        printed, found: (N, 12, T) bool.

    Raises:
        DataError: for other shapes or types.
    """
    a, b = np.asarray(printed), np.asarray(found)
    if a.dtype != np.bool_ or b.dtype != np.bool_:
        raise DataError("presence must be bool", value=(str(a.dtype), str(b.dtype)))
    check_records(a, b)
    return np.asarray((a == b).mean(-1), np.float64)


def _common(reference: ArrayLike, read: ArrayLike) -> tuple[Curve, Curve, NDArray[np.bool_]]:
    """Return both with 0 where either is missing, and which samples both have, (N, 12, T)."""
    x, y = check_records(reference, read)
    both = np.isfinite(x) & np.isfinite(y)
    return np.where(both, x, 0), np.where(both, y, 0), both
