"""Adjustment of p-values for how many questions were asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Return the adjusted p-values of Holm 1979, which bound the chance of any false finding.

    Args:
        p: (M,) p-values. NaN, for a question without an answer, is not counted and stays NaN.
    """
    values = np.asarray(p, np.float64)
    out = np.full(values.shape, np.nan)
    asked = np.flatnonzero(~np.isnan(values))
    order = asked[np.argsort(values[asked], kind="stable")]
    steps = (len(order) - np.arange(len(order))) * values[order]
    out[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return out
