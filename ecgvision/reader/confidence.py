"""Confidence of a reading, per lead and per page. Imports numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

RIGHT_MV = 0.1
"""Maximum error of a sample that counts as right; our default: a millimetre of paper."""

LEAST_SECONDS = 1.0
"""Minimum duration of a lead that counts as found; our default: a beat at 60 per minute."""


def found_samples(presence: ArrayLike, rate: float) -> NDArray[np.bool_]:
    """Return which samples are more likely printed than not, shaped like `presence`.

    A lead with less than `LEAST_SECONDS` of such samples has none.

    Args:
        presence: (..., T) probabilities.
        rate: Hz.
    """
    found = np.asarray(presence) > 0.5
    return np.asarray(found & (found.sum(-1, keepdims=True) >= LEAST_SECONDS * rate), np.bool_)


def lead_confidence(presence: ArrayLike, scale: ArrayLike, rate: float) -> NDArray[np.float64]:
    """Return the raw confidence of each lead, (..., 12).

    It is the mean probability, over the samples found, that a sample was printed and is right to
    within `RIGHT_MV`. It is 0 for a lead without found samples. The error has a Laplace density of
    the scale that the reader predicts, hence P(|e| < m) = 1 - exp(-m / b).

    Args:
        presence: (..., 12, T) probabilities.
        scale: (..., 12, T) mV.
        rate: Hz.
    """
    p, b = np.asarray(presence, np.float64), np.asarray(scale, np.float64)
    found = found_samples(p, rate)
    right = np.where(found, p * (1 - np.exp(-RIGHT_MV / b)), 0).sum(-1)
    return np.asarray(right / np.maximum(found.sum(-1), 1), np.float64)


def calibrated(raw: ArrayLike, calibration: Sequence[float]) -> NDArray[np.float64]:
    """Calibrate raw confidences: sigmoid(slope * logit(raw) + offset) (Platt 1999); 0 stays 0.

    The parameters are fitted on validation pages.

    Args:
        raw: (...) `lead_confidence`, times the probability of the gain.
        calibration: (slope, offset); (1, 0) changes nothing.
    """
    slope, offset = calibration
    values = np.asarray(raw, np.float64)
    inside = np.clip(values, 1e-6, 1 - 1e-6)
    told = 1 / (1 + np.exp(-(slope * np.log(inside / (1 - inside)) + offset)))
    return np.asarray(np.where(values > 0, told, 0.0), np.float64)


def page_confidence(leads: ArrayLike) -> NDArray[np.float64]:
    """Return the mean confidence of the leads that were found, (...); 0 if none was."""
    values = np.asarray(leads, np.float64)
    found = values > 0
    return np.asarray(values.sum(-1) / np.maximum(found.sum(-1), 1), np.float64)
