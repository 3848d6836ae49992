"""Figures of a study, by arm, kind and view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

Kind = Literal["view", "mean", "range"]
Measure = tuple[Kind, str]
"""A kind and the name of the view, which is "" for kinds other than "view"."""


def measures_of(views: Sequence[str]) -> list[Measure]:
    """Return the measures of a study with these views, in order."""
    measures: list[Measure] = [("view", name) for name in views]
    return measures + [("mean", ""), ("range", "")] if len(views) > 1 else measures


@dataclass(frozen=True)
class Difference:
    """Figure of an arm minus that of the reference.

    Attributes:
        value: the difference.
        ci95: interval from paired draws; None if no draw is defined.
        p: two-sided p-value of `compare.p_value`, not adjusted for the number of comparisons.
        sd: standard deviation (n - 1) over the differences of single seeds; None for one seed, or
            if the arms have different numbers of seeds.
    """

    value: float
    ci95: tuple[float, float] | None
    p: float
    sd: float | None


@dataclass(frozen=True)
class Entry:
    """One figure of one arm.

    Attributes:
        value: figure of the mean macro AUROC over seeds; a range is that of the views' means.
        ci95: interval; None if no draw is defined.
        seeds: the same figure of each single seed.
        sd: standard deviation (n - 1) of `seeds`; None for one seed.
        bias: mean of the draws minus the value; None if no draw is defined.
        difference: difference to the reference; None for the reference itself or without one.
    """

    value: float
    ci95: tuple[float, float] | None
    seeds: tuple[float, ...]
    sd: float | None
    bias: float | None
    difference: Difference | None


@dataclass(frozen=True)
class StudyTable:
    """Result of `study_table`.

    Attributes:
        arms: names in order.
        streams, xs, groups, seeds: by arm, its stream, position on a curve, line of the curve and
            number of seeds.
        views: names in order.
        records: by view, number of records.
        left_out: by view, number of records left out because some table lacks them.
        skipped: by view, label codes left out of macro figures because they have no positives or
            no negatives.
        same_records: whether all views hold the same records.
        several_artefacts: whether a view is layout@artefact instead of layout.
        patients: number of patients in the bootstrap.
        entries: all figures by (arm, kind, view).
    """

    arms: tuple[str, ...]
    streams: dict[str, str]
    xs: dict[str, float | None]
    groups: dict[str, str | None]
    seeds: dict[str, int]
    views: tuple[str, ...]
    records: dict[str, int]
    left_out: dict[str, int]
    skipped: dict[str, tuple[str, ...]]
    codes: tuple[str, ...]
    same_records: bool
    several_artefacts: bool
    patients: int
    reference: str | None
    draws: int
    seed: int
    split: str
    entries: dict[tuple[str, Kind, str], Entry]

    @property
    def measures(self) -> list[Measure]:
        """Measures of every arm in order."""
        return measures_of(self.views)

    @property
    def headline(self) -> Measure:
        """Main measure: the mean over views, or the only view."""
        return self.measures[len(self.views) if len(self.views) > 1 else 0]

    @property
    def shown(self) -> list[Measure]:
        """Measures in the order of a wide table: mean and range first, where they are visible."""
        return sorted(self.measures, key=lambda measure: measure[0] == "view")

    @property
    def compared(self) -> tuple[str, ...]:
        """Arms with a difference: all but the reference; none if there is no reference."""
        return tuple(a for a in self.arms if self.reference is not None and a != self.reference)

    @property
    def over(self) -> str:
        """Plural noun for the views."""
        return "views" if self.several_artefacts else "layouts"

    def title(self, measure: Measure) -> str:
        """Return the name of a measure in reports."""
        kind, view = measure
        return (view or "layout not stated") if kind == "view" else f"{kind} over {self.over}"

    def entry(self, arm: str, measure: Measure) -> Entry:
        """Return a figure of an arm."""
        return self.entries[(arm, *measure)]

    def frame(self) -> pd.DataFrame:
        """Return all figures in long form, a row for each arm and figure; NaN for undefined."""
        return pd.DataFrame([self._row(arm, m) for arm in self.arms for m in self.measures])

    def _row(self, arm: str, measure: Measure) -> dict[str, object]:
        entry, (kind, view) = self.entry(arm, measure), measure
        views = [view] if kind == "view" else list(self.views)
        nan = float("nan")
        low, high = entry.ci95 or (nan, nan)
        d = entry.difference or Difference(nan, None, nan, None)
        d_low, d_high = d.ci95 or (nan, nan)
        return {
            "arm": arm, "group": self.groups[arm], "x": _number(self.xs[arm]),
            "stream": self.streams[arm], "split": self.split, "kind": kind, "view": view,
            "macro_auroc": entry.value, "low": low, "high": high, "seeds": self.seeds[arm],
            "sd": _number(entry.sd), "values": ";".join(map(repr, entry.seeds)),
            "bias": _number(entry.bias), "reference": self.reference if entry.difference else None,
            "difference": d.value, "difference_low": d_low, "difference_high": d_high, "p": d.p,
            "difference_sd": _number(d.sd),
            "records": sum(self.records[v] for v in views), "patients": self.patients,
            "left_out": sum(self.left_out[v] for v in views),
            "skipped": ";".join(c for c in self.codes if any(c in self.skipped[v] for v in views)),
            "draws": self.draws, "draws_seed": self.seed,
        }  # fmt: skip


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
