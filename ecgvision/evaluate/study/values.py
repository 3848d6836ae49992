"""What a study found: figures by arm, kind and view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

Kind = Literal["view", "mean", "range"]
Measure = tuple[Kind, str]
"""A kind and, for "view", the view's name; else ""."""


def measures_of(views: Sequence[str]) -> list[Measure]:
    """The figures that there are for these views, in order."""
    measures: list[Measure] = [("view", name) for name in views]
    return measures + [("mean", ""), ("range", "")] if len(views) > 1 else measures


@dataclass(frozen=True)
class Difference:
    """An arm's figure less that of the reference.

    Attributes:
        value, ci95: with the interval of the paired draws; None if no draw is defined.
        p: two-sided, as of `compare.p_value`; not adjusted for the number of comparisons.
        sd: standard deviation over seeds of the seeds' own differences (n - 1); None for a single
            seed or where the arms have not equally many.
    """

    value: float
    ci95: tuple[float, float] | None
    p: float
    sd: float | None


@dataclass(frozen=True)
class Entry:
    """One figure of one arm.

    Attributes:
        value: of the seeds' mean macro AUROC; a range is that of the means shown for the views.
        ci95: its interval; None if no draw is defined.
        seeds: the same figure of each seed by itself.
        sd: their standard deviation (n - 1); None for a single seed.
        bias: mean of the draws less the value; None if no draw is defined.
        difference: to the reference; None for the reference, or without one.
    """

    value: float
    ci95: tuple[float, float] | None
    seeds: tuple[float, ...]
    sd: float | None
    bias: float | None
    difference: Difference | None


@dataclass(frozen=True)
class StudyTable:
    """What `study_table` found.

    Attributes:
        arms: names, in order.
        streams, xs, groups, seeds: by arm: stream, place on a curve, its line, number of seeds.
        views: names, in order.
        records, left_out, skipped: by view: number of records, of those left out because some
            table lacks them, and label codes left out of macro for want of positives or negatives.
        same_records: whether every view holds the same records.
        several_artefacts: whether a view is layout@artefact rather than layout.
        patients: number of patients drawn from.
        entries: every figure, by (arm, kind, view).
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
        """What every arm has a figure for, in order."""
        return measures_of(self.views)

    @property
    def headline(self) -> Measure:
        """The one figure by which to order arms: the mean over views, or the only view."""
        return self.measures[len(self.views) if len(self.views) > 1 else 0]

    @property
    def shown(self) -> list[Measure]:
        """The measures as a wide table shows them: mean and range first, lest they be cut off."""
        return sorted(self.measures, key=lambda measure: measure[0] == "view")

    @property
    def compared(self) -> tuple[str, ...]:
        """The arms that have a difference: all but the reference; none without one."""
        return tuple(a for a in self.arms if self.reference is not None and a != self.reference)

    @property
    def over(self) -> str:
        """What the views are."""
        return "views" if self.several_artefacts else "layouts"

    def title(self, measure: Measure) -> str:
        """What reports call a figure."""
        kind, view = measure
        return (view or "layout not stated") if kind == "view" else f"{kind} over {self.over}"

    def entry(self, arm: str, measure: Measure) -> Entry:
        """One arm's figure."""
        return self.entries[(arm, *measure)]

    def frame(self) -> pd.DataFrame:
        """Long form, one row an arm and figure; what is not defined is missing."""
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
