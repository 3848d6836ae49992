"""Operating points: one temperature per stream and one threshold per label, from validation only.

Temperature: the scalar T in 0.05 to 20 that minimises the mean binary cross-entropy of
sigmoid(z / T), after Guo et al. 2017 (On Calibration of Modern Neural Networks). A minimum on a
bound means that validation does not determine a temperature: it is separable, or the logits carry
no information. T is then 1.

Threshold: maximises F1 on validation; a label is called where the calibrated p >= threshold. The
threshold is half-way between two neighbouring scores, so that rounding in an exported graph does
not flip a validation record. A label without positives or without negatives in validation has
threshold 0.5. `notes` names every such fallback.
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
    """Temperature and thresholds that turn a stream's logits into probabilities and decisions.

    Attributes:
        temperature: T > 0 in p = sigmoid(z / T).
        thresholds: (C,), each in 0..1; a label is called where p >= threshold.
        codes: the C labels, in order.
        notes: one sentence for each fallback taken.

    Raises:
        DataError: for a temperature or threshold out of range, or another number of thresholds
            than of labels.
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
        """Return the (..., C) calibrated probabilities of (..., C) raw logits."""
        return expit(np.asarray(logits, np.float64) / self.temperature)

    def decisions(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """Return (..., C) bool: the labels that are called."""
        return np.asarray(probabilities, np.float64) >= np.asarray(self.thresholds)

    def to_dict(self) -> dict[str, Any]:
        """Return plain containers, for JSON and checkpoints."""
        return {
            "temperature": self.temperature,
            "thresholds": dict(zip(self.codes, self.thresholds, strict=True)),
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OperatingPoints:
        """Build from the result of `to_dict`."""
        thresholds = data["thresholds"]
        return cls(
            temperature=float(data["temperature"]),
            thresholds=tuple(float(t) for t in thresholds.values()),
            codes=tuple(thresholds),
            notes=tuple(data.get("notes", ())),
        )


def fit(logits: ArrayLike, targets: ArrayLike, codes: Sequence[str]) -> OperatingPoints:
    """Fit the operating points of one stream.

    Args:
        logits: (N, C) raw logits of validation records.
        targets: (N, C) of 0 and 1.
        codes: the C labels.

    Raises:
        DataError: if there is no record or the shapes do not agree.
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
    """Return the temperature of least binary cross-entropy, or None if it is on a bound."""

    def loss(log_temperature: float) -> float:
        z = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, z) - targets * z))

    low, high = np.log(TEMPERATURE_BOUNDS)
    best = float(minimize_scalar(loss, bounds=(low, high), method="bounded").x)
    margin = 1e-3 * (high - low)  # the search approaches a bound without ever reaching it
    return float(np.exp(best)) if low + margin < best < high - margin else None


def fit_threshold(p: NDArray[np.float64], y: NDArray[Any]) -> float | None:
    """Return the threshold of largest F1, or None if there are no positives or no negatives.

    Ties go to the threshold nearest to 0.5 (our default: the least extreme).
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
    """Fit the operating points of every stream on the rows whose split is "val".

    All layouts and artefacts of a stream are pooled: a deployed student has one threshold per
    label and does not know the layout or artefact of its input.

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
    """Return the table with `p_` columns, each stream calibrated by its own temperature.

    Existing `p_` columns are replaced.

    Raises:
        DataError: if a stream has no operating points, or has those of other labels.
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
