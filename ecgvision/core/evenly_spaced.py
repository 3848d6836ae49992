"""Evenly spaced indices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def evenly_spaced(count: int, total: int) -> NDArray[np.int64]:
    """Return `count` evenly spaced indices of `total` items, or all if there are no more.

    The first index is always included, and the last one if there are two or more.
    """
    return np.linspace(0, total - 1, min(count, total)).round().astype(np.int64)
