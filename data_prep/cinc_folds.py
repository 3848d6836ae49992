"""Stratified ten-fold split for sources without official folds.

Folds come from iterative stratification (Sechidis et al. 2011, On the stratification of multi-label
data), which distributes each label evenly, rarest first. All records of a patient share a fold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgvision.core.errors import DataError

FOLDS = 10


def stratified_folds(
    targets: ArrayLike, patients: Sequence[str], *, seed: int = 0
) -> NDArray[np.int64]:
    """Assign each record to a fold from 1 to 10, deterministically.

    With fewer patients than folds, each patient gets a separate fold, from 1 on.

    Args:
        targets: (N, C) of 0 and 1, with at least two labels.
        patients: N names; records of equal name share a fold.
        seed: decides between equally good folds.

    Returns:
        (N,) int64.

    Raises:
        DataError: if the shapes do not agree, or there are fewer than two labels.
    """
    y = np.asarray(targets)
    if y.ndim != 2 or y.shape[1] < 2 or len(y) != len(patients):
        raise DataError(
            f"targets must be (N, C) with C > 1 for {len(patients)} names", value=y.shape
        )
    first = dict.fromkeys(patients)
    number = {patient: i for i, patient in enumerate(first)}
    unit = np.array([number[p] for p in patients], np.int64)
    if len(number) < FOLDS:
        return unit + 1
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

    together = np.zeros((len(number), y.shape[1]), np.int64)
    np.maximum.at(together, unit, (y != 0).astype(np.int64))
    folds = np.empty(len(number), np.int64)
    splitter = MultilabelStratifiedKFold(n_splits=FOLDS, shuffle=True, random_state=seed)
    for fold, (_, chosen) in enumerate(splitter.split(np.zeros(len(number)), together), 1):
        folds[chosen] = fold
    return folds[unit]
