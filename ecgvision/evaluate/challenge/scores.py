"""Scores of the PhysioNet/CinC Challenges 2020 and 2021.

Challenge metric (Perez Alday et al. 2020, Physiol Meas 41:124003; Reyna et al. 2021, CinC 48):
a record with true labels Y and called labels O earns sum over i in Y, j in O of w_ij / max(|Y u O|,
1), where w_ij is the reward for calling j where i is true. The sum over records is scaled: 1 means
that every call is right, and 0 is the score of calling sinus rhythm for every record. Worse calls
score below 0. Both years use this formula and scale; they differ in classes and weights. The two
ends of the scale coincide where all records are of pure sinus rhythm. The score is 0 there, as in
the official scorers.

The other scores are those of the 2020 scorer: exact-match accuracy, macro F1, and F2 and G2, whose
counts weigh each record by 1 / max(|Y|, 1). A class that is neither true nor called in any record
has no F1, F2 or G2 and is left out of their means.

The official scorers score every record, also those without a scored label. Such a record costs and
earns nothing in the Challenge metric, but counts in the other scores. `data.unlabelled=keep` keeps
these records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgvision.core.errors import DataError
from ecgvision.core.input_files import TABLE, check_input
from ecgvision.evaluate.metrics.bootstrap import weight_blocks
from ecgvision.evaluate.metrics.intervals import percentile
from ecgvision.labels.cinc_tables import (
    CINC2020,
    CINC2021,
    EXCEPTION,
    EXCEPTIONS,
    SINUS_RHYTHM,
    STEPS,
    ScoredClass,
)


@dataclass(frozen=True, eq=False)
class Challenge:
    """Classes and rewards of one Challenge.

    Attributes:
        name: "cinc2020" or "cinc2021", also the names of the label schemes.
        codes: (C,) classes, in the scheme's order.
        weights: (C, C) float64, reward for calling column j where row i is true.
        inactive: index of the class that is called for every record at score 0 (sinus rhythm).
    """

    name: str
    codes: tuple[str, ...]
    weights: NDArray[np.float64]
    inactive: int


def _challenge(name: str, classes: Sequence[ScoredClass]) -> Challenge:
    place = np.array([c.place for c in classes])
    rewards = STEPS / 2 - np.abs(place[:, None] - place[None])
    codes = tuple(c.code for c in classes)
    for pair in EXCEPTIONS:
        if pair <= set(codes):
            i, j = (codes.index(code) for code in pair)
            rewards[[i, j], [j, i]] -= EXCEPTION
    np.fill_diagonal(rewards, STEPS)
    return Challenge(name, codes, rewards / STEPS, codes.index(SINUS_RHYTHM))


CHALLENGES = {
    "cinc2020": _challenge("cinc2020", CINC2020),
    "cinc2021": _challenge("cinc2021", CINC2021),
}


def read_weights(file: str | Path, name: str) -> Challenge:
    """Read the rewards of a Challenge from a `weights.csv` in the official format.

    Rows and columns are SNOMED CT codes. Equivalent codes have separate rows, which must be equal
    (2020), or share one row as `A|B` (2021).

    Args:
        file: the table.
        name: "cinc2020" or "cinc2021".

    Raises:
        DataError: for an unknown name, a table that cannot be read, whose rows are not its columns,
            that lacks a class, or that treats equivalent codes differently.
    """
    import pandas as pd

    classes = {"cinc2020": CINC2020, "cinc2021": CINC2021}.get(name)
    if classes is None:
        raise DataError("unknown challenge", value=name, remedy=f"Known: {', '.join(CHALLENGES)}")
    try:
        check_input(file, limit=TABLE)
        table = pd.read_csv(file, index_col=0)
        values = table.to_numpy(np.float64)
    except (OSError, ValueError) as error:
        raise DataError(f"the weights cannot be read ({error})", file=file) from None
    rows, columns = [str(r) for r in table.index], [str(c) for c in table.columns]
    if rows != columns or not np.isfinite(values).all():
        raise DataError("rows must be the columns, and every weight a number", file=file)
    places = []
    for scored in classes:
        mine = [i for i, row in enumerate(rows) if set(row.split("|")) & set(scored.snomed)]
        if not mine:
            raise DataError("the weights lack a class", file=file, value=scored.code)
        if (values[mine] != values[mine[0]]).any() or (values.T[mine] != values.T[mine[0]]).any():
            raise DataError("equivalent codes have other weights", file=file, value=scored.code)
        places.append(mine[0])
    codes = tuple(c.code for c in classes)
    return Challenge(name, codes, values[np.ix_(places, places)], codes.index(SINUS_RHYTHM))


@dataclass(frozen=True)
class ChallengeScores:
    """Scores of one set of calls; None where no class has the score."""

    challenge_metric: float
    accuracy: float
    macro_f1: float | None
    macro_f2: float | None
    macro_g2: float | None


def score(targets: ArrayLike, called: ArrayLike, challenge: Challenge) -> ChallengeScores:
    """Compute all scores of one set of calls.

    Args:
        targets, called: (N, C) of 0 and 1, in the order of `challenge.codes`.
        challenge: classes and rewards.

    Raises:
        DataError: if the shapes do not agree, or a value is neither 0 nor 1.
    """
    y, o = checked(targets, called, challenge)
    f1, _ = _measures(y, o, np.ones(len(y)), 1.0)
    f2, g2 = _measures(y, o, 1.0 / np.maximum(y.sum(axis=1), 1), 2.0)
    return ChallengeScores(
        challenge_metric=float(_scaled(earned(y, o, challenge).sum(axis=0))),
        accuracy=float((y == o).all(axis=1).mean()),
        macro_f1=f1,
        macro_f2=f2,
        macro_g2=g2,
    )


def challenge_metric(targets: ArrayLike, called: ArrayLike, challenge: Challenge) -> float:
    """Compute only the Challenge metric; arguments and errors as for `score`."""
    return float(_scaled(earned(*checked(targets, called, challenge), challenge).sum(axis=0)))


def metric_interval(
    targets: ArrayLike,
    called: ArrayLike,
    patients: NDArray[np.int64],
    challenge: Challenge,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return the 95 % interval of the Challenge metric, by the patient-level bootstrap.

    Args:
        targets, called: (N, C) of 0 and 1, in the order of `challenge.codes`.
        patients: (N,) patient number of each record, from `bootstrap.patients_of`.
        challenge: classes and rewards.
        draws: bootstrap draws.
        seed: of the draws.

    Raises:
        DataError: as `score`.
    """
    values = earned(*checked(targets, called, challenge), challenge)
    samples = [_scaled(w @ values) for w in weight_blocks(patients, draws, seed)]
    return percentile(np.concatenate(samples))


def checked(
    targets: ArrayLike, called: ArrayLike, challenge: Challenge
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return targets and calls as bool (N, C).

    Raises:
        DataError: if their shapes do not fit the challenge or each other, or a value is neither 0
            nor 1.
    """
    y, o = np.asarray(targets), np.asarray(called)
    if y.ndim != 2 or y.shape != o.shape or y.shape[1] != len(challenge.codes) or not len(y):
        raise DataError(
            f"targets and calls must both be (N, {len(challenge.codes)}) with N > 0",
            value=(y.shape, o.shape),
        )
    for values in (y, o):
        if not np.isin(values, (0, 1)).all():
            raise DataError("targets and calls must be 0 or 1")
    return y.astype(bool), o.astype(bool)


def earned(y: NDArray[np.bool_], o: NDArray[np.bool_], challenge: Challenge) -> NDArray[np.float64]:
    """Return (N, 3) rewards of each record: as called, as labelled, and for the inactive class."""
    reward = y @ challenge.weights
    inactive = np.zeros_like(y)
    inactive[:, challenge.inactive] = True
    return np.stack(
        [(reward * x).sum(axis=1) / np.maximum((y | x).sum(axis=1), 1) for x in (o, y, inactive)], 1
    )


def _scaled(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (...,) metric of (..., 3) sums; 0 where right and inactive earn the same."""
    observed, right, inactive = np.moveaxis(sums, -1, 0)
    span = right - inactive
    apart = np.abs(span) > 1e-9  # one record of another class separates them by at least 0.01
    return np.divide(observed - inactive, span, out=np.zeros_like(span), where=apart)


def _measures(
    y: NDArray[np.bool_], o: NDArray[np.bool_], weights: NDArray[np.float64], beta: float
) -> tuple[float | None, float | None]:
    """Return macro F_beta and G_beta over the classes where they are defined."""
    hit, extra, missed = (weights @ x for x in (y & o, o & ~y, y & ~o))
    defined = hit + extra + missed > 0
    if not defined.any():
        return None, None
    square = beta**2
    f = (1 + square) * hit[defined]
    f /= f + extra[defined] + square * missed[defined]
    g = hit[defined] / (hit + extra + beta * missed)[defined]
    return float(f.mean()), float(g.mean())
