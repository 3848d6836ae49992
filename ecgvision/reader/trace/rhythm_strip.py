"""Which lead a rhythm strip shows: the one whose short trace it repeats."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SHORTEST = 300
"""Number of samples that a lead and the strip must share; our default: 0.6 s at 500 Hz."""

ALIKE, CLEAR = 0.45, 0.6
"""Difference between a strip and a lead, relative to the greater of the two, up to which it repeats
that lead, and share of the difference from the lead that was expected below which it must be; our
defaults: two readings of one trace differ by 0.1 to 0.3."""


def lead_of_strip(
    strip: NDArray[np.floating], leads: Mapping[str, NDArray[np.floating]], expected: str
) -> str:
    """Return the lead that a strip repeats; the expected one unless another is clearly more alike.

    Args:
        strip: (T,) mV, NaN where not read.
        leads: the leads read outside of strips, (T,) each, at the same times.
        expected: lead that the arrangement has for the strip.
    """
    differ = {}
    for lead, values in leads.items():
        both = np.isfinite(strip) & np.isfinite(values)
        if both.sum() >= SHORTEST:
            a, b = strip[both] - strip[both].mean(), values[both] - values[both].mean()
            size = float(np.sqrt(max(a @ a, b @ b)))
            differ[lead] = float(np.linalg.norm(a - b)) / size if size > 0 else 1.0
    best = min(differ, key=lambda lead: differ[lead], default=expected)
    if differ.get(best, 1.0) > ALIKE or differ[best] > CLEAR * differ.get(expected, 1.0):
        return expected
    return best
