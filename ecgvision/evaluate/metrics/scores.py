"""Metrics of a predictions table: the `test` object of metrics.json.

A key `<stream>` pools all test rows of a stream over layouts and artefacts. A stream shown several
layouts also has a key `<stream>@<layout>` for each, and one shown several artefacts a key
`<stream>@<artefact>` for each. Intervals are those of the patient-level bootstrap, so a record
shown in several layouts does not count as several patients; see `strata` and `intervals` for rare
labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ecgvision.core.errors import DataError
from ecgvision.evaluate.metrics import calibration
from ecgvision.evaluate.metrics.bootstrap import Scores, macro, patients_of
from ecgvision.evaluate.metrics.intervals import Kind, figure, kinds
from ecgvision.evaluate.metrics.kernels import METRICS
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.metrics.strata import strata_of
from ecgvision.evaluate.predictions import codes_of, logits_of, select, targets_of, validate


def evaluate(
    table: pd.DataFrame,
    points: Mapping[str, OperatingPoints],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute metrics with 95 % intervals for every stream on the rows whose split is "test".

    Args:
        table: a predictions table. Its `p_` columns are not read: `points` gives probabilities.
        points: operating points of each stream.
        draws: bootstrap draws.
        seed: of the draws.

    Returns:
        {"test": {<stream>: ..., "<stream>@<layout or artefact>": ...}, "skipped": [codes]}. A label
        without positives or without negatives in a stream's test rows is left out of the macro
        figures and has null values. It is named in `skipped` and in that key's own `skipped`.

    Raises:
        DataError: if there is no test row, or a stream has no operating points.
    """
    validate(table)
    test = select(table, split="test")
    if test.empty:
        raise DataError("no test row to evaluate", remedy="Check data.folds.test")
    result: dict[str, Any] = {}
    skipped: set[str] = set()
    for stream in test["stream"].unique():
        if stream not in points:
            raise DataError("no operating points for stream", value=stream)
        rows = select(test, stream=stream)
        result[stream] = evaluate_rows(rows, points[stream], draws=draws, seed=seed)
        skipped |= set(result[stream]["skipped"])
        for column in ("layout", "artefact"):
            names = rows[column].unique()
            for name in names if len(names) > 1 else ():
                part = select(rows, **{column: name})
                result[f"{stream}@{name}"] = evaluate_rows(
                    part, points[stream], draws=draws, seed=seed
                )
    return {"test": result, "skipped": [c for c in codes_of(table) if c in skipped]}


def evaluate_rows(
    rows: pd.DataFrame, points: OperatingPoints, *, draws: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Compute the metrics of rows of one stream, at given operating points.

    Raises:
        DataError: if the operating points are for other labels.
    """
    codes = codes_of(rows)
    if points.codes != codes:
        raise DataError("operating points are for other labels", value=points.codes)
    z, y, patients = logits_of(rows), targets_of(rows), patients_of(rows)
    p = points.probabilities(z)
    scores = Scores(z, y, points.decisions(p))
    value = scores.value()
    samples = scores.bootstrap(patients, draws=draws, seed=seed, strata=strata_of(patients, y))
    left_out = scores.jackknife(patients)
    macro_value, macro_samples, macro_left_out = macro(value), macro(samples), macro(left_out)
    kind = kinds(patients, y)
    defined = [k for k, row in zip(kind, value, strict=True) if not np.isnan(row[0])]
    macro_kind: Kind = "bca" if set(defined) == {"bca"} else "percentile"
    result: dict[str, Any] = {
        "n": len(rows),
        "records": int(rows["record_id"].nunique()),
        "patients": int(patients.max()) + 1,
        "skipped": [code for code, row in zip(codes, value, strict=True) if np.isnan(row[0])],
        "temperature": points.temperature,
        "brier": calibration.brier(p, y),
        "ece": calibration.classwise_ece(p, y),
    }
    for m, name in enumerate(METRICS):
        result[f"macro_{name}"] = figure(
            macro_value[m], macro_samples[:, m], left_out=macro_left_out[:, m], kind=macro_kind
        )
    result["per_class"] = {
        code: {
            "positives": int(y[:, c].sum()),
            "threshold": points.thresholds[c],
            "interval": kind[c],
            **{
                name: figure(value[c, m], samples[:, c, m], left_out=left_out[:, c, m],
                             kind=kind[c])
                for m, name in enumerate(METRICS)
            },
        }
        for c, code in enumerate(codes)
    }  # fmt: skip
    return result
