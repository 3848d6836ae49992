"""Paired comparison of two systems in every view that both were judged in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ecgvision.core.errors import DataError
from ecgvision.evaluate.metrics.multiplicity import holm
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.metrics.paired import paired
from ecgvision.evaluate.predictions import codes_of, select


def compare_views(
    a: pd.DataFrame,
    b: pd.DataFrame,
    points: tuple[OperatingPoints, OperatingPoints] | None = None,
    **options: Any,
) -> dict[str, dict[str, Any]]:
    """Compare two systems in each pair of layout and artefact that both have.

    Where each table has one view, the two are compared, whatever their names. Macro figures get
    `p_holm`, adjusted for the number of views; figures of labels for the number of labels.

    Args:
        a, b: rows of one stream of predictions tables.
        points: operating points of A and B.
        options: see `paired`.

    Returns:
        The result of `paired` by the view's name.

    Raises:
        DataError: if the labels differ, the tables have no view in common, or as `paired`.
    """
    if codes_of(a) != codes_of(b):
        raise DataError("the tables hold other labels", value=(codes_of(a), codes_of(b)))
    views_a, views_b = _views(a), _views(b)
    if len(views_a) == len(views_b) == 1:
        pairs = {_name(views_a[0]): (a, b)}
    else:
        common = [view for view in views_a if view in views_b]
        pairs = {_name(view): (_view(a, view), _view(b, view)) for view in common}
    if not pairs:
        raise DataError("the tables have no view in common",
                        value=([_name(v) for v in views_a[:3]], [_name(v) for v in views_b[:3]]),
                        remedy="Name one of each after @")  # fmt: skip
    found = {name: paired(x, y, points, **options) for name, (x, y) in pairs.items()}
    for metric in (key for key in next(iter(found.values())) if key.startswith("macro_")):
        figures = [result[metric] for result in found.values()]
        adjusted = holm([np.nan if f["p"] is None else f["p"] for f in figures])
        for figure, p in zip(figures, adjusted, strict=True):
            figure["p_holm"] = None if np.isnan(p) else float(p)
    return found


def differences_table(found: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Return the figures of `compare_views` as rows: view, label (`macro` first), metric."""
    rows = []
    for view, result in found.items():
        macro = {key.removeprefix("macro_"): figure for key, figure in result.items()
                 if key.startswith("macro_")}  # fmt: skip
        for label, figures in {"macro": macro, **result["per_class"]}.items():
            for metric, figure in figures.items():
                low, high = figure["ci95"]
                row = {"view": view, "label": label, "metric": metric,
                       "n": result["n"], "patients": result["patients"],
                       "a": figure["a"], "b": figure["b"], "difference": figure["difference"],
                       "difference_low": low, "difference_high": high, "p": figure["p"],
                       "p_holm": figure["p_holm"]}  # fmt: skip
                if "delong" in figure:
                    row["delong_low"], row["delong_high"] = figure["delong"]["ci95"]
                    row["delong_p"] = figure["delong"]["p"]
                rows.append(row)
    return pd.DataFrame(rows)


def _views(table: pd.DataFrame) -> list[tuple[str, str]]:
    pairs = table[["layout", "artefact"]].drop_duplicates()
    return [(str(layout), str(artefact)) for layout, artefact in pairs.itertuples(index=False)]


def _view(table: pd.DataFrame, view: tuple[str, str]) -> pd.DataFrame:
    return select(table, layout=view[0], artefact=view[1])


def _name(view: tuple[str, str]) -> str:
    return "@".join(part for part in view if part) or "all"
