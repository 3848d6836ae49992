"""Which lead a rhythm strip shows: the one whose short trace it repeats."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SHORTEST = 300
"""Number of samples that a lead and the strip must share; our default: 0.6 s at 500 Hz."""

ALIKE, CLEAR = 0.9, 0.08
"""Correlation from which a strip repeats a lead, and by how much it must be above that with the
lead that was expected; our defaults."""


def lead_of_strip(
    strip: NDArray[np.floating], leads: Mapping[str, NDArray[np.floating]], expected: str
) -> str:
    """Return the lead that a strip repeats; the expected one unless another is clearly more alike.

    Args:
        strip: (T,) mV, NaN where not read.
        leads: the leads read outside of strips, (T,) each, at the same times.
        expected: lead that the arrangement has for the strip.
    """
    alike = {}
    for lead, values in leads.items():
        both = np.isfinite(strip) & np.isfinite(values)
        if both.sum() >= SHORTEST:
            a, b = strip[both] - strip[both].mean(), values[both] - values[both].mean()
            size = float(np.sqrt((a @ a) * (b @ b)))
            alike[lead] = float(a @ b) / size if size > 0 else 0.0
    best = max(alike, key=lambda lead: alike[lead], default=expected)
    if alike.get(best, 0.0) < ALIKE or alike[best] < alike.get(expected, 0.0) + CLEAR:
        return expected
    return best
