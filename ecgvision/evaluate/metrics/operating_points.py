"""Operating points: one temperature a stream and one threshold a label, from validation only.

Temperature: the scalar T that minimises the mean binary cross-entropy of sigmoid(z / T), after
Guo et al. 2017 (On Calibration of Modern Neural Networks), over 0.05 to 20. Where the minimum
lies on a bound, validation does not determine a temperature (it is separable, or the logits carry
nothing), and T stays 1.

Threshold: the largest F1 on validation at calibrated probability, decided by p >= threshold. It
lies half-way between two neighbouring scores, so that rounding in an exported graph does not flip
a record of validation. A label without positives or without negatives in validation keeps 0.5.
Every such fallback is said in `notes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

from ecgvision.core.errors import DataError
from ecgvision.evaluate.predictions import codes_of, logits_of, select, targets_of, validate

TEMPERATURE_BOUNDS = (0.05, 20.0)
FALLBACK_THRESHOLD = 0.5


@dataclass(frozen=True)
class OperatingPoints:
    """What turns one stream's raw logits into probabilities and decisions.

    Attributes:
        temperature: T > 0 of p = sigmoid(z / T).
        thresholds: (C,) a label is called where p >= threshold.
        codes: the C labels, in order.
        notes: one sentence for each fallback that was taken.

    Raises:
        DataError: for a temperature or threshold outside its range.
    """

    temperature: float
    thresholds: tuple[float, ...]
    codes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise DataError("a temperature must be positive", value=self.temperature)
        if len(self.thresholds) != len(self.codes):
            raise DataError(
                f"{len(self.codes)} labels need as many thresholds", value=len(self.thresholds)
            )
        if not all(0 <= t <= 1 for t in self.thresholds):
            raise DataError("thresholds must lie between 0 and 1", value=self.thresholds)

    def probabilities(self, logits: ArrayLike) -> NDArray[np.float64]:
        """(..., C) calibrated probabilities of (..., C) raw logits."""
        return expit(np.asarray(logits, np.float64) / self.temperature)

    def decisions(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """(..., C) bool: which labels are called."""
        return np.asarray(probabilities, np.float64) >= np.asarray(self.thresholds)

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, for JSON and checkpoints."""
        return {
            "temperature": self.temperature,
            "thresholds": dict(zip(self.codes, self.thresholds, strict=True)),
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OperatingPoints:
        """The inverse of `to_dict`."""
        thresholds = data["thresholds"]
        return cls(
            temperature=float(data["temperature"]),
            thresholds=tuple(float(t) for t in thresholds.values()),
            codes=tuple(thresholds),
            notes=tuple(data.get("notes", ())),
        )


def fit(logits: ArrayLike, targets: ArrayLike, codes: Sequence[str]) -> OperatingPoints:
    """Operating points of one stream.

    Args:
        logits: (N, C) raw logits of validation records.
        targets: (N, C) of 0 and 1.
        codes: the C labels.

    Raises:
        DataError: if there is no record, or the shapes do not agree.
    """
    z, y = np.asarray(logits, np.float64), np.asarray(targets)
    if z.ndim != 2 or z.shape != y.shape or z.shape[1] != len(codes):
        raise DataError(
            f"logits and targets must both be (N, {len(codes)})", value=(z.shape, y.shape)
        )
    if len(z) == 0:
        raise DataError(
            "no validation record to fit operating points on", remedy="Check data.folds.val"
        )
    notes: list[str] = []
    temperature = fit_temperature(z, y)
    if temperature is None:
        temperature = 1.0
        notes.append("temperature kept at 1: validation does not determine one")
    p = expit(z / temperature)
    thresholds = []
    for i, code in enumerate(codes):
        best = fit_threshold(p[:, i], y[:, i])
        if best is None:
            best = FALLBACK_THRESHOLD
            missing = "positives" if not y[:, i].any() else "negatives"
            notes.append(f"threshold of {code} kept at {best}: no {missing} in validation")
        thresholds.append(best)
    return OperatingPoints(temperature, tuple(thresholds), tuple(codes), tuple(notes))


def fit_temperature(logits: NDArray[np.float64], targets: NDArray[Any]) -> float | None:
    """The temperature of least binary cross-entropy, or None where that lies on a bound."""

    def loss(log_temperature: float) -> float:
        z = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, z) - targets * z))

    low, high = np.log(TEMPERATURE_BOUNDS)
    best = float(minimize_scalar(loss, bounds=(low, high), method="bounded").x)
    margin = 1e-3 * (high - low)  # the search approaches a bound without ever reaching it
    return float(np.exp(best)) if low + margin < best < high - margin else None


def fit_threshold(p: NDArray[np.float64], y: NDArray[Any]) -> float | None:
    """The threshold of largest F1, or None where one of the two classes is absent.

    Of several with the same F1 the one nearest to 0.5 is taken (our default: the least extreme).
    """
    positives = int(np.count_nonzero(y))
    if positives in (0, len(y)):
        return None
    order = np.argsort(-p, kind="stable")
    scores, hits = p[order], np.cumsum(y[order] != 0)
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # end of each run of ties
    below = np.append(scores[last[:-1] + 1], 0.0)
    # F1 = 2 TP / (called + positives)
    f1 = 2 * hits[last] / (last + 1 + positives)
    middle = (scores[last] + below) / 2
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middle[best[np.argmin(np.abs(middle[best] - 0.5))]])


def fit_from_table(table: pd.DataFrame) -> dict[str, OperatingPoints]:
    """Operating points of every stream, from the rows whose split is "val" and no others.

    All layouts and artefacts of a stream are pooled: a deployed student has one threshold a label
    and is not told what it will be shown.

    Raises:
        DataError: if a stream of the table has no validation row.
    """
    validate(table)
    points = {}
    for stream in table["stream"].unique():
        rows = select(table, split="val", stream=stream)
        if rows.empty:
            raise DataError(
                "no validation row to fit operating points on; test rows are never used",
                value=stream,
                remedy="Predict the validation split too (data.folds.val)",
            )
        points[str(stream)] = fit(logits_of(rows), targets_of(rows), codes_of(rows))
    return points


def apply(table: pd.DataFrame, points: Mapping[str, OperatingPoints]) -> pd.DataFrame:
    """The table with its `p_` columns, each stream at its own temperature.

    Raises:
        DataError: if a stream has no operating points, or they are for other labels.
    """
    codes = codes_of(table)
    p = np.empty((len(table), len(codes)))
    z = logits_of(table)
    for stream in table["stream"].unique():
        if stream not in points:
            raise DataError("no operating points for stream", value=stream)
        if points[stream].codes != codes:
            raise DataError(
                f"operating points of {stream} are for other labels", value=points[stream].codes
            )
        rows = (table["stream"] == stream).to_numpy(bool)
        p[rows] = points[stream].probabilities(z[rows])
    kept = table[[c for c in table.columns if not str(c).startswith("p_")]]
    added = pd.DataFrame(p, columns=[f"p_{c}" for c in codes], index=table.index)
    return pd.concat([kept, added], axis=1)
