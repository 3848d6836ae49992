"""Values of an assessment in the report: a section for each stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ecgvision.evaluate.assessment.assess import Assessment, rows_of
from ecgvision.evaluate.report import assessment_figures as figures
from ecgvision.evaluate.report.html import svg_figure

SHOWN_LABELS = 12
"""Labels whose rows are shown at once; those of more open on a click."""


Drawings = Mapping[str, Mapping[str, str | None]]
"""Figures of each stream as SVG text by name; None where there is nothing to show."""


def drawings(found: Assessment) -> Drawings:
    """Draw the figures of every stream of an assessment."""
    return {stream: _figures(found.tables, stream) for stream in found.points}


def assessed_values(found: Assessment, drawn: Drawings) -> dict[str, Any]:
    """Return the notes, and for each stream its tables as lists of rows and its figures.

    In rows, what is not defined is None.

    Args:
        drawn: the assessment's `drawings`.
    """
    streams = list(found.points)
    return {
        "notes": list(found.notes),
        "streams": [_stream(found.tables, stream, drawn[stream]) for stream in streams
                    if stream in set(found.tables["calibration"]["stream"])],
    }  # fmt: skip


def _stream(
    tables: Mapping[str, pd.DataFrame], stream: str, drawn: Mapping[str, str | None]
) -> dict[str, Any]:
    own = {name: _of(table, stream) for name, table in tables.items()}
    points = own["operating_points"]
    labels = figures.most_frequent(own["calibration"])
    some = len(labels) < own["calibration"]["label"].nunique() - 1
    only = f" The {len(labels)} labels with most positives are shown." if some else ""
    groups = own.get("subgroups", pd.DataFrame({"label": []}))
    return {
        "name": stream,
        "policies": [{"name": str(name), "rows": rows_of(rows)}
                     for name, rows in points.groupby("policy", sort=False)],
        "calibration": rows_of(own["calibration"]),
        "budgets": rows_of(own.get("budgets", pd.DataFrame())),
        "prevalence": rows_of(own["prevalence"]),
        "coverage": rows_of(own["risk_coverage"]),
        "delong": rows_of(own.get("delong", pd.DataFrame())),
        "groups": rows_of(groups[groups["label"] == "macro"]),
        "group_labels": rows_of(groups[groups["label"] != "macro"]),
        "reliability": svg_figure(drawn["reliability"], (
            "Share of positives against predicted probability, in bins of equal numbers of "
            f"records, with 95 % intervals.{only}")),
        "net_benefit": svg_figure(drawn["net_benefit"], (
            "Net benefit of calling the label where its probability reaches the threshold, with "
            "95 % interval; dashed: calling every record; at 0: calling none. A threshold of 10 % "
            f"says that one missed case weighs as much as nine false alarms.{only}")),
        "rejection": svg_figure(drawn["risk_coverage"], (
            "Wrong decisions where the least sure records are left to a person.")),
        "subgroups": svg_figure(drawn["subgroups"], (
            "Macro AUROC of each group, over the labels that 20 of its records have and 20 do "
            "not.")),
    }  # fmt: skip


def _figures(tables: Mapping[str, pd.DataFrame], stream: str) -> dict[str, str | None]:
    labels = figures.most_frequent(_of(tables["calibration"], stream))
    groups = _of(tables["subgroups"], stream) if "subgroups" in tables else None
    return {
        "reliability": figures.reliability(_of(tables["reliability"], stream), labels),
        "net_benefit": figures.net_benefit(_of(tables["net_benefit"], stream), labels),
        "risk_coverage": figures.risk_coverage(_of(tables["risk_coverage"], stream)),
        "subgroups": None if groups is None or "auroc" not in groups.columns or groups.empty
        else figures.subgroups(groups),
    }  # fmt: skip


def _of(table: pd.DataFrame, stream: str) -> pd.DataFrame:
    return table[table["stream"] == stream].reset_index(drop=True)
