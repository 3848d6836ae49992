"""Random subsets of the training patients, for learning curves over the number of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.data.cohort import Cohort


def choose(
    cohort: Cohort, positions: NDArray[np.int64], fraction: float, *, seed: int
) -> NDArray[np.int64]:
    """Return the records of a random subset of patients.

    The seed determines a random order of the patients. First every label that has a positive at all
    gets one, rarest label first. Then patients are added in order until the requested number is
    reached. A smaller fraction is thus a part of every larger one with the same seed. If the labels
    need more patients than the fraction allows, the subset is larger.

    Args:
        positions: positions of the training split.
        fraction: fraction of its patients, in (0, 1].

    Returns:
        The positions of the chosen records, in the order given.
    """
    patient_of = cohort.records["patient_id"].to_numpy(object)[positions]
    names, number = np.unique(patient_of.astype(str), return_inverse=True)
    order = np.random.default_rng([seed, 7]).permutation(len(names))
    positive = np.zeros((len(names), cohort.targets.shape[1]), bool)
    np.logical_or.at(positive, number, cohort.targets[positions] == 1)
    taken = np.zeros(len(names), bool)
    for label in np.argsort(positive.sum(0), kind="stable"):
        if positive[:, label].any() and not positive[taken, label].any():
            taken[next(p for p in order if positive[p, label])] = True
    spare = max(1, round(fraction * len(names))) - int(taken.sum())
    if spare > 0:
        taken[[p for p in order if not taken[p]][:spare]] = True
    return positions[taken[number]]


def tell(
    cohort: Cohort, whole: NDArray[np.int64], chosen: NDArray[np.int64], fraction: float
) -> dict[str, Any]:
    """Return the summary of the subset for metrics.json."""
    patients = cohort.records["patient_id"]
    counts = cohort.targets[chosen].sum(axis=0, dtype=int).tolist()
    return {
        "asked": fraction,
        "records": len(chosen),
        "of_records": len(whole),
        "patients": int(patients.iloc[chosen].nunique()),
        "of_patients": int(patients.iloc[whole].nunique()),
        "positives": dict(zip(cohort.scheme.codes, counts, strict=True)),
    }
