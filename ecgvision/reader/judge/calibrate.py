"""What a reader's confidence is worth: settled on validation pages."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from ecgvision.reader.confidence import calibrated, page_confidence

PAGE = ["record_id", "layout", "artefact"]
"""What names a page in a reader's table."""

PRIOR = 1.0
"""How much a slope of 1 and an offset of 0 are held to, so that few pages do not bend them; our
default."""

LEAST_SLOPE = 0.05
"""So that more confidence never comes to mean less; our default."""

READABLE = 0.5
"""A page is refused whose confidence is below this share of the 5th percentile of the validation
pages' confidence; our default, so that worse pages than those of validation are still read."""


def fit_confidence(table: pd.DataFrame) -> tuple[float, float]:
    """Slope and offset of `confidence.calibrated` that make the raw confidence of a lead the share
    of its samples that are right, by cross-entropy (Platt 1999).

    Args:
        table: of validation pages, as `reading.read_split` gives it. Leads that were found though
            they were not printed count as wrong.
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


def settle(table: pd.DataFrame, calibration: tuple[float, ...]) -> pd.DataFrame:
    """The table with two columns more, as `digitize` tells them: `lead_confidence`, and of the page
    `confidence`."""
    told = calibrated(table["raw_confidence"].to_numpy(), calibration)
    out = table.assign(lead_confidence=told)
    pages = out.groupby(PAGE, sort=False)["lead_confidence"]
    return out.assign(confidence=pages.transform(lambda part: page_confidence(part.to_numpy())))


def least_confidence(table: pd.DataFrame) -> float:
    """The confidence below which a page is refused; see `READABLE`.

    Args:
        table: of the validation pages, settled.
    """
    pages = table.groupby(PAGE)["confidence"].first()
    return float(READABLE * np.percentile(pages, 5))
