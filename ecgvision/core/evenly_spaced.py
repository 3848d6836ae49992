"""Some of many, spread over all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def evenly_spaced(count: int, total: int) -> NDArray[np.int64]:
    """`count` places of `total` (all, where there are no more) at even distances, the first and,
    of two or more, the last among them."""
    return np.linspace(0, total - 1, min(count, total)).round().astype(np.int64)
