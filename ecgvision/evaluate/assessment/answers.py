"""Answers of one stream on test records, with the draws that every interval of it shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgvision.evaluate.metrics.bootstrap import patient_draws, patients_of
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.metrics.strata import Strata, strata_of
from ecgvision.evaluate.predictions import codes_of, logits_of, targets_of


@dataclass(frozen=True)
class Answers:
    """Logits, probabilities and targets of N records and C labels, and draws of their patients.

    Attributes:
        codes: the labels.
        z: (N, C) raw logits.
        p: (N, C) calibrated probabilities.
        y: (N, C) bool, the targets.
        patients: (N,) patient number of each record.
        points: operating points, from validation.
        draws: bootstrap draws.
        seed: of the draws.
    """

    codes: tuple[str, ...]
    z: NDArray[np.float64]
    p: NDArray[np.float64]
    y: NDArray[np.bool_]
    patients: NDArray[np.int64]
    points: OperatingPoints
    draws: int = 1000
    seed: int = 0

    @classmethod
    def of(
        cls, rows: pd.DataFrame, points: OperatingPoints, *, draws: int = 1000, seed: int = 0
    ) -> Answers:
        """Take the answers from rows of a predictions table, of one stream."""
        z = logits_of(rows)
        return cls(codes_of(rows), z, points.probabilities(z), targets_of(rows).astype(bool),
                   patients_of(rows), points, draws, seed)  # fmt: skip

    @cached_property
    def called(self) -> NDArray[np.bool_]:
        """(N, C) bool, the labels that are called at the thresholds of the operating points."""
        return self.points.decisions(self.p)

    @cached_property
    def strata(self) -> Strata | None:
        """Strata of the patients; None if no label is rare."""
        return strata_of(self.patients, self.y)

    @cached_property
    def drawn(self) -> NDArray[np.float64]:
        """(D, P) how often each draw contains each patient."""
        count = int(self.patients.max()) + 1
        return np.stack(
            list(patient_draws(count, self.draws, self.seed, self.strata))
        ).astype(np.float64)  # fmt: skip

    def sums(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the (1 + D, ...) sums of (N, ...) values over the records, and over each draw."""
        flat = values.reshape(len(values), -1).astype(np.float64)
        order = np.argsort(self.patients, kind="stable")
        starts = np.searchsorted(self.patients[order], np.arange(self.drawn.shape[1]))
        by_patient = np.add.reduceat(flat[order], starts, axis=0)
        found = np.concatenate([by_patient.sum(axis=0)[None], self.drawn @ by_patient])
        return found.reshape(-1, *values.shape[1:])


def share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan),
                     where=whole > 0)  # fmt: skip


def with_interval(
    name: str, samples: NDArray[np.float64], kind: str = "percentile"
) -> dict[str, float]:
    """Return columns `name`, `name_low` and `name_high` of the (1 + D,) results of `sums`.

    Args:
        kind: `percentile` or `basic`; see `ecgvision.evaluate.metrics.intervals`.
    """
    from ecgvision.evaluate.metrics import intervals

    found = intervals.figure(float(samples[0]), samples[1:], kind=kind)  # type: ignore[arg-type]
    low, high = found["ci95"]
    values = {name: found["value"], f"{name}_low": low, f"{name}_high": high}
    return {key: np.nan if value is None else float(value) for key, value in values.items()}
