"""Calibration of a reader's confidence on validation pages."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from ecgvision.reader.confidence import calibrated, page_confidence

PAGE = ["record_id", "layout", "artefact"]
"""Columns that identify a page in a reader's table."""

PRIOR = 1.0
"""Strength of the pull of the slope to 1 and of the offset to 0, for few pages; our default."""

LEAST_SLOPE = 0.05
"""Minimum slope, so that the calibrated confidence increases with the raw one; our default."""

READABLE = 0.5
"""A page is refused if its confidence is below this share of the 5th percentile of the validation
pages. Our default, so that pages worse than those of validation are still read."""


def fit_confidence(table: pd.DataFrame) -> tuple[float, float]:
    """Fit the slope and offset of `confidence.calibrated`.

    The calibrated confidence of a lead estimates the share of its samples that are right. The fit
    is by cross-entropy (Platt 1999).

    Args:
        table: of validation pages, as from `read_split`. Leads that were found but not printed
            count as wrong.
    """
    found = table.dropna(subset="right")
    raw = found["raw_confidence"].to_numpy(np.float64)
    y = found["right"].to_numpy(np.float64)

    def cost(given: np.ndarray) -> float:
        p = np.clip(calibrated(raw, given.tolist()), 1e-9, 1 - 1e-9)
        held = PRIOR * ((given[0] - 1) ** 2 + given[1] ** 2)
        return float(held - (y * np.log(p) + (1 - y) * np.log(1 - p)).sum())

    best = minimize(cost, np.array([1.0, 0.0]), method="L-BFGS-B",
                    bounds=[(LEAST_SLOPE, 20.0), (-20.0, 20.0)])  # fmt: skip
    return float(best.x[0]), float(best.x[1])


def add_confidence(table: pd.DataFrame, calibration: tuple[float, ...]) -> pd.DataFrame:
    """Return the table with two more columns: `lead_confidence`, and `confidence` of the page.

    Both are as `digitize` reports them.
    """
    told = calibrated(table["raw_confidence"].to_numpy(), calibration)
    out = table.assign(lead_confidence=told)
    pages = out.groupby(PAGE, sort=False)["lead_confidence"]
    return out.assign(confidence=pages.transform(lambda part: page_confidence(part.to_numpy())))


def least_confidence(table: pd.DataFrame) -> float:
    """Return the confidence below which a page is refused; see `READABLE`.

    Args:
        table: of the validation pages, after `add_confidence`.
    """
    pages = table.groupby(PAGE)["confidence"].first()
    return float(READABLE * np.percentile(pages, 5))
