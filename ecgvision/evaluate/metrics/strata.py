"""Strata of patients for the bootstrap, so that no draw lacks a rare label.

A label that few patients have is missing from some draws of patients, which then say nothing about
it. Patients with a rare label are therefore drawn among themselves, and so are those of rare
negatives. This is the stratified bootstrap of Efron and Tibshirani 1993 (An Introduction to the
Bootstrap, chapter 8) for as many labels as are rare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RARE = 20
"""Patients on the smaller side of a label below which it is rare (our default: a draw of patients
lacks one of 20 with a probability of 2e-9)."""

FEWEST = 5
"""Patients of the smallest stratum; smaller groups are drawn with all other patients.

Our default: resampled among themselves, fewer would hardly vary and feign certainty."""

TRIES = 100
"""Number of draws tried; the first that lacks nothing is taken."""


@dataclass(frozen=True)
class Strata:
    """Groups of patients, each drawn with replacement among itself.

    Attributes:
        members: patient numbers of each stratum.
        sides: (R, P) bool, the patients on the smaller side of each rare label.
    """

    members: tuple[NDArray[np.int64], ...]
    sides: NDArray[np.bool_]

    @property
    def patients(self) -> int:
        """How many patients there are."""
        return self.sides.shape[1]

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return (P,) how often each patient is drawn.

        Every rare side has a patient, unless `TRIES` draws in a row lack one.
        """
        for _ in range(TRIES):
            chosen = [m[rng.integers(0, len(m), len(m))] for m in self.members]
            counts = np.bincount(np.concatenate(chosen), minlength=self.patients)
            if (self.sides @ counts > 0).all():
                break
        return counts


def rare_sides(patients: NDArray[np.int64], targets: ArrayLike) -> NDArray[np.bool_]:
    """Return (R, P) bool: for each rare label, the patients on its smaller side, rarest first.

    Args:
        patients: (N,) patient number of each record.
        targets: (N, C) of 0 and 1.
    """
    y = np.asarray(targets).astype(bool)
    count = int(patients.max()) + 1
    sides = []
    for column in y.T:
        for here in (column, ~column):
            side = np.zeros(count, bool)
            side[patients[here]] = True
            if 0 < side.sum() < min(RARE, count):
                sides.append(side)
    sides.sort(key=lambda side: int(side.sum()))
    return np.array(sides, bool).reshape(len(sides), count)


def strata_of(patients: NDArray[np.int64], targets: ArrayLike) -> Strata | None:
    """Return the strata of patients; None if no label is rare.

    A patient of several rare labels belongs to the rarest of those whose group has `FEWEST`.

    Args:
        patients: (N,) patient number of each record.
        targets: (N, C) of 0 and 1.
    """
    sides = rare_sides(patients, targets)
    if not len(sides):
        return None
    stratum = np.full(sides.shape[1], len(sides))
    for number in range(len(sides)):
        free = sides[number] & (stratum == len(sides))
        if free.sum() >= FEWEST:
            stratum[free] = number
    if np.count_nonzero(stratum == len(sides)) < FEWEST:
        stratum[:] = len(sides)
    return Strata(tuple(np.flatnonzero(stratum == s) for s in np.unique(stratum)), sides)
