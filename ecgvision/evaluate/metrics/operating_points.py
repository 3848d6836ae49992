"""Operating points: one temperature per stream and one threshold per label, from validation only.

Temperature: the scalar T in 0.05 to 20 that minimises the mean binary cross-entropy of
sigmoid(z / T), after Guo et al. 2017 (On Calibration of Modern Neural Networks). A minimum on a
bound means that validation does not determine a temperature: it is separable, or the logits carry
no information. T is then 1.

Per-class scaling, where it is asked for, replaces the temperature by a slope and an intercept for
each label (Platt 1999).

Threshold: chosen by a policy (see `policies`), by default the largest F1; a label is called where
the calibrated p >= threshold. A label whose threshold validation does not determine has 0.5.
`notes` names every such fallback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

from ecgvision.core.errors import DataError
from ecgvision.evaluate.metrics.policies import MAX_F1, Policy
from ecgvision.evaluate.metrics.recalibration import intercepts, slopes_and_intercepts
from ecgvision.evaluate.predictions import codes_of, logits_of, select, targets_of, validate

TEMPERATURE_BOUNDS = (0.05, 20.0)
FALLBACK_THRESHOLD = 0.5
SLOPE_BOUNDS = (0.05, 20.0)
"""Slopes of per-class scaling; outside, validation does not determine one (our default)."""

Scaling = Literal["temperature", "per_class", "intercept", "none"]


@dataclass(frozen=True)
class OperatingPoints:
    """Temperature and thresholds that turn a stream's logits into probabilities and decisions.

    Attributes:
        temperature: T > 0 in p = sigmoid(z / T).
        thresholds: (C,), each in 0..1; a label is called where p >= threshold.
        codes: the C labels, in order.
        notes: one sentence for each fallback taken.
        slopes, intercepts: (C,) of per-class scaling, p = sigmoid(slope z / T + intercept); empty
            for slopes of 1 and intercepts of 0.
        policy: name of the policy that chose the thresholds.

    Raises:
        DataError: for a temperature, slope or threshold out of range, or another number of them
            than of labels.
    """

    temperature: float
    thresholds: tuple[float, ...]
    codes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    slopes: tuple[float, ...] = ()
    intercepts: tuple[float, ...] = ()
    policy: str = MAX_F1.name

    def __post_init__(self) -> None:
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise DataError("a temperature must be positive", value=self.temperature)
        if len(self.thresholds) != len(self.codes):
            raise DataError(
                f"{len(self.codes)} labels need as many thresholds", value=len(self.thresholds)
            )
        if not all(0 <= t <= 1 for t in self.thresholds):
            raise DataError("thresholds must lie between 0 and 1", value=self.thresholds)
        if self.slopes or self.intercepts:
            if not len(self.slopes) == len(self.intercepts) == len(self.codes):
                raise DataError(f"{len(self.codes)} labels need as many slopes and intercepts",
                                value=(len(self.slopes), len(self.intercepts)))  # fmt: skip
            if not (np.isfinite(self.intercepts).all() and np.isfinite(self.slopes).all()
                    and min(self.slopes) > 0):  # fmt: skip
                raise DataError("slopes must be positive, intercepts finite",
                                value=(self.slopes, self.intercepts))  # fmt: skip

    def probabilities(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Return the (..., C) calibrated probabilities of (..., C) raw logits."""
        z = np.asarray(logits, np.float64) / self.temperature
        if self.slopes:
            z = np.asarray(self.slopes) * z + np.asarray(self.intercepts)
        return expit(z)

    def decisions(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """Return (..., C) bool: the labels that are called."""
        return np.asarray(probabilities, np.float64) >= np.asarray(self.thresholds)

    def to_dict(self) -> dict[str, Any]:
        """Return plain containers, for JSON and checkpoints."""
        found: dict[str, Any] = {
            "temperature": self.temperature,
            "thresholds": dict(zip(self.codes, self.thresholds, strict=True)),
            "notes": list(self.notes),
            "policy": self.policy,
        }
        if self.slopes:
            found["slopes"] = dict(zip(self.codes, self.slopes, strict=True))
            found["intercepts"] = dict(zip(self.codes, self.intercepts, strict=True))
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OperatingPoints:
        """Build from the result of `to_dict`."""
        thresholds = data["thresholds"]
        return cls(
            temperature=float(data["temperature"]),
            thresholds=tuple(float(t) for t in thresholds.values()),
            codes=tuple(thresholds),
            notes=tuple(data.get("notes", ())),
            slopes=tuple(float(data["slopes"][c]) for c in thresholds if "slopes" in data),
            intercepts=tuple(float(data["intercepts"][c]) for c in thresholds
                             if "intercepts" in data),
            policy=str(data.get("policy", MAX_F1.name)),
        )  # fmt: skip


def fit(
    logits: ArrayLike, targets: ArrayLike, codes: Sequence[str], *, policy: Policy = MAX_F1,
    scaling: Scaling = "temperature",
) -> OperatingPoints:  # fmt: skip
    """Fit the operating points of one stream.

    Args:
        logits: (N, C) raw logits of validation records.
        targets: (N, C) of 0 and 1.
        codes: the C labels.
        policy: rule that chooses the thresholds.
        scaling: `temperature`, one for all labels; `per_class`, a slope and an intercept for each;
            `intercept`, the temperature and an intercept for each, which moves probabilities to
            another prevalence; or `none`, which takes the logits as they are.

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
    temperature = None if scaling == "none" else fit_temperature(z, y)
    if temperature is None:
        temperature = 1.0
        if scaling != "none":
            notes.append("temperature kept at 1: validation does not determine one")
    slopes, intercepts = (
        _per_class(z / temperature, y, codes, notes, slopes=scaling == "per_class")
        if scaling in ("per_class", "intercept")
        else ((), ())
    )
    scaled = OperatingPoints(temperature, (FALLBACK_THRESHOLD,) * len(codes), tuple(codes),
                             slopes=slopes, intercepts=intercepts)  # fmt: skip
    p = scaled.probabilities(z)
    thresholds = []
    for i, code in enumerate(codes):
        best = policy.threshold(p[:, i], y[:, i])
        if best is None:
            best = FALLBACK_THRESHOLD
            why = "no threshold reaches the policy"
            if len(np.unique(y[:, i])) < 2:
                why = f"no {'positives' if not y[:, i].any() else 'negatives'} in validation"
            notes.append(f"threshold of {code} kept at {best}: {why}")
        thresholds.append(best)
    return replace(scaled, thresholds=tuple(thresholds), notes=tuple(notes), policy=policy.name)


def _per_class(
    z: NDArray[np.float64],
    y: NDArray[Any],
    codes: Sequence[str],
    notes: list[str],
    *,
    slopes: bool,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Fit the intercept of each label, and the slope if asked; note each kept at 0 and 1."""
    found = []
    for i, code in enumerate(codes):
        slope, intercept = 1.0, intercepts(z[:, i], y[:, i])[0]
        if slopes:
            slope, intercept = slopes_and_intercepts(z[:, i], y[:, i])[0]
        # NaN lies in no range
        if not SLOPE_BOUNDS[0] <= slope <= SLOPE_BOUNDS[1] or np.isnan(intercept):
            slope, intercept = 1.0, 0.0
            notes.append(f"scaling of {code} kept at the temperature: validation does not "
                         "determine one")  # fmt: skip
        found.append((float(slope), float(intercept)))
    return tuple(s for s, _ in found), tuple(i for _, i in found)


def fit_temperature(logits: NDArray[np.float64], targets: NDArray[Any]) -> float | None:
    """Return the temperature of least binary cross-entropy, or None if it is on a bound."""

    def loss(log_temperature: float) -> float:
        z = logits / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0, z) - targets * z))

    low, high = np.log(TEMPERATURE_BOUNDS)
    best = float(minimize_scalar(loss, bounds=(low, high), method="bounded").x)
    margin = 1e-3 * (high - low)  # the search approaches a bound without ever reaching it
    return float(np.exp(best)) if low + margin < best < high - margin else None


def fit_from_table(
    table: pd.DataFrame, *, policy: Policy = MAX_F1, scaling: Scaling = "temperature"
) -> dict[str, OperatingPoints]:
    """Fit the operating points of every stream on the rows whose split is "val".

    All layouts and artefacts of a stream are pooled: a deployed student has one threshold per
    label and does not know the layout or artefact of its input.

    Args:
        table: a predictions table. Its test rows are not read.
        policy, scaling: see `fit`.

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
        points[str(stream)] = fit(logits_of(rows), targets_of(rows), codes_of(rows),
                                  policy=policy, scaling=scaling)  # fmt: skip
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
