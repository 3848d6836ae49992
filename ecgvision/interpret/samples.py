"""Conversion of attributions from patches to samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import DataError


def to_samples(
    attribution: NDArray[np.floating], *, patch_length: int, stride: int, length: int
) -> NDArray[np.float32]:
    """Convert an attribution from the grid of patches to (leads, T).

    Args:
        attribution: (leads, P, L), one value per sample of a patch; values of a sample in
            overlapping patches are added, which preserves the sum. Or (leads, P), one value per
            patch; a sample gets the mean over its patches.
        patch_length: L, samples.
        stride: samples from one patch to the next.
        length: T, samples.

    Returns:
        (leads, T) float32; NaN after the last patch.

    Raises:
        DataError: if the grid does not fit the length.
    """
    patches = (length - patch_length) // stride + 1 if length >= patch_length else 0
    fits = attribution.ndim in (2, 3) and attribution.shape[1] == patches > 0
    if not fits or attribution.shape[2:] not in ((), (patch_length,)):
        raise DataError(
            f"attribution must have shape (leads, {patches}) or (leads, {patches}, {patch_length})",
            value=attribution.shape,
        )
    total = np.zeros((len(attribution), length))
    count = np.zeros(length)
    for p in range(patches):
        here = slice(p * stride, p * stride + patch_length)
        total[:, here] += attribution[:, p].reshape(len(attribution), -1)
        count[here] += 1
    if attribution.ndim == 2:
        total /= np.maximum(count, 1)
    total[:, count == 0] = np.nan
    return total.astype(np.float32)
