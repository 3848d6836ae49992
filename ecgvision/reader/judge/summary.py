"""Summary of how well a reader reads, by layout, artefact and lead, with intervals."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_file, write_json
from ecgvision.core.run_folder import METRICS
from ecgvision.evaluate.metrics.bootstrap import patients_of
from ecgvision.evaluate.metrics.calibration import ece
from ecgvision.reader.judge import snr_kaggle
from ecgvision.reader.judge.calibrate import PAGE
from ecgvision.reader.judge.digitisation import FIGURES
from ecgvision.reader.judge.report import write_reading_report

DRAWS = 1000
"""Number of bootstrap draws; our default."""

KEYS = ("layout", "artefact", "paper", "gain", "speed", "lead")
"""Columns by which rows are grouped."""


def summarise(table: pd.DataFrame, least_confidence: float) -> dict[str, dict[str, Any]]:
    """Compute the figures of all rows and of each group of rows.

    Groups are `all`, `layout:NAME`, `artefact:NAME` and `lead:NAME`; paper, gain and speed if there
    are several; and `view:LAYOUT, ARTEFACT` if there are several of both.

    Args:
        table: table with confidences, as `calibrate.add_confidence` returns it.
        least_confidence: confidence below which a page is refused.

    Returns:
        For each group, `pages`, `leads` and `refused` (numbers); `confidence` (see `_confidence`);
        `snr_kaggle_db`, the score of the Kaggle competition (`value`, `ci95`); and for each of
        `FIGURES` its `median` over leads and pages with a 95 % interval over patients (`ci95`),
        `mean`, `p10` and `p90`. Values of a figure that no row has are None.
    """
    groups: dict[str, pd.DataFrame] = {"all": table}
    for key in KEYS:
        parts = {name: part for name, part in table.groupby(key, sort=False) if name != ""}
        if len(parts) > 1 or key in ("layout", "artefact", "lead"):
            form = "{:g}" if key in ("gain", "speed") else "{}"
            groups |= {f"{key}:{form.format(name)}": part for name, part in parts.items()}
    if table["layout"].nunique() > 1 and table["artefact"].nunique() > 1:
        pairs = table.groupby(["layout", "artefact"], sort=False)
        groups |= {f"view:{layout}, {artefact}": part for (layout, artefact), part in pairs}
    return {name: _figures(part, least_confidence) for name, part in groups.items()}


def _figures(part: pd.DataFrame, least_confidence: float) -> dict[str, Any]:
    pages = part.drop_duplicates(PAGE)
    leads = part[part["printed"]]
    out: dict[str, Any] = {
        "pages": len(pages), "leads": len(leads),
        "refused": int((pages["confidence"] < least_confidence).sum()),
        "confidence": _confidence(part),
        "snr_kaggle_db": _kaggle(part),
    }  # fmt: skip
    intervals = _intervals(leads) if len(leads) else {}
    for name in FIGURES:
        values = leads[name].dropna().to_numpy()
        if not len(values):
            out[name] = dict.fromkeys(("median", "ci95", "mean", "p10", "p90"))
            continue
        p10, median, p90 = (round(float(v), 4) for v in np.percentile(values, [10, 50, 90]))
        out[name] = {"median": median, "ci95": intervals[name],
                     "mean": round(float(values.mean()), 4), "p10": p10, "p90": p90}  # fmt: skip
    return out


def _confidence(part: pd.DataFrame) -> dict[str, float | None]:
    """Mean confidence (`said`) and mean share of right samples (`right`) of the leads found.

    `ece` is the expected calibration error between the two.
    """
    found = part.dropna(subset="right")
    if found.empty:
        return dict.fromkeys(("said", "right", "ece"))
    said, right = found["lead_confidence"].to_numpy(), found["right"].to_numpy()
    values = {"said": said.mean(), "right": right.mean(), "ece": ece(said, right)}
    return {name: round(float(value), 4) for name, value in values.items()}


def _kaggle(part: pd.DataFrame) -> dict[str, Any]:
    """Score of the pages in dB (see `snr_kaggle`), with its bootstrap interval over patients."""
    printed = part[part["printed"]]
    if printed.empty:
        return {"value": None, "ci95": None}
    kept = {"patient_id": "first", **dict.fromkeys(snr_kaggle.COLUMNS, "sum")}
    pages = printed.groupby(PAGE, sort=False).agg(kept).reset_index()
    ratio = snr_kaggle.ratios(*(pages[name] for name in snr_kaggle.COLUMNS))
    groups = pd.DataFrame({"ratio": ratio}).groupby(patients_of(pages))["ratio"]
    total, count = groups.sum().to_numpy(), groups.count().to_numpy()
    draws = np.random.default_rng(0).integers(len(total), size=(DRAWS, len(total)))
    means = total[draws].sum(1) / count[draws].sum(1)
    with np.errstate(divide="ignore"):  # log of 0, for pages without any signal
        low, high = np.percentile(10 * np.log10(means), [2.5, 97.5])
    return {"value": round(snr_kaggle.score_db(ratio), 4),
            "ci95": [round(float(low), 4), round(float(high), 4)]}  # fmt: skip


def _intervals(part: pd.DataFrame) -> dict[str, list[float]]:
    """Percentile intervals of the medians from a bootstrap over patients.

    Patients are drawn because leads of one page, and pages of one patient, are read well or badly
    together.
    """
    values = part[list(FIGURES)].to_numpy(np.float64)
    rows = list(part.groupby(patients_of(part)).indices.values())
    rng = np.random.default_rng(0)
    medians = np.empty((DRAWS, len(FIGURES)))
    for draw in range(DRAWS):
        chosen = rng.integers(len(rows), size=len(rows))
        medians[draw] = column_medians(values[np.concatenate([rows[i] for i in chosen])])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a figure that no drawn row has
        low, high = np.nanpercentile(medians, [2.5, 97.5], axis=0)
    return {name: [round(float(a), 4), round(float(b), 4)]
            for name, a, b in zip(FIGURES, low, high, strict=True)}  # fmt: skip


def column_medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute `np.nanmedian(values, axis=0)` of (N, K) values, NaN for columns without any.

    This is many times faster than NumPy's function if N is small or values are missing.
    """
    ordered = np.sort(values, axis=0)  # NaN comes last
    count = (~np.isnan(ordered)).sum(0)
    lower, upper = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(ordered) - 1)
    column = np.arange(ordered.shape[1])
    return (ordered[lower, column] + ordered[upper, column]) / 2


def write_reading(
    folder: Path, metrics: Mapping[str, Any], judged: pd.DataFrame, *, config: Mapping[str, Any],
    history: pd.DataFrame | None, examples: Sequence[Mapping[str, Any]],
) -> None:  # fmt: skip
    """Write reading.parquet, report.html and, last, metrics.json.

    Args:
        folder: folder of the files.
        metrics: content of metrics.json.
        judged: table of `read_split.read_split` with confidences (see `calibrate.add_confidence`).
        config, history, examples: see `write_reading_report`.
    """
    with atomic_file(folder / "reading.parquet") as part:
        judged.to_parquet(part, index=False)
    write_reading_report(folder / "report.html", config=config, metrics=metrics, judged=judged,
                         history=history, examples=examples)  # fmt: skip
    write_json(folder / METRICS, metrics)
