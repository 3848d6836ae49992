"""Plots of a study, with 95 % intervals over patients."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgvision.evaluate.report.figures import PALETTE, STYLE, as_svg, new_figure
from ecgvision.evaluate.study.values import Difference, Entry, StudyTable

MARKERS = "osD^vPX"
"""Each round of the seven colours starts with another marker, so that 49 arms look different."""
DPI = 200
LOG_FROM = 20
"""Ratio of the largest to the smallest x from which a curve's axis is logarithmic; our default.

On a linear axis, shares of 1, 10 and 100 % would lie on one another."""
GREY = "#888888"


def svg(draw: Callable[[], Figure]) -> str:
    """Return a plot as the text of an SVG document."""
    with matplotlib.rc_context(STYLE):
        return as_svg(draw())


def png(draw: Callable[[], Figure]) -> bytes:
    """Return a plot as a PNG file; the same study gives the same bytes."""
    out = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        draw().savefig(out, format="png", dpi=DPI, metadata={"Software": None})
    return out.getvalue()


def has_curve(table: StudyTable) -> bool:
    """Whether the arms have two or more different x."""
    return len({x for x in table.xs.values() if x is not None}) > 1


def main(table: StudyTable, x_label: str) -> Figure:
    """Draw the main plot: the curve if there is one, else by layout, else by arm."""
    if has_curve(table):
        return curve(table, x_label)
    return by_view(table) if len(table.views) > 1 else by_arm(table)


def _looks(table: StudyTable) -> dict[str, dict[str, Any]]:
    """Colour and marker of each arm."""
    return {
        arm: {
            "color": PALETTE[i % len(PALETTE)],
            "marker": MARKERS[(i + i // len(PALETTE)) % len(MARKERS)],
        }
        for i, arm in enumerate(table.arms)
    }


def _bar(entry: Entry | Difference) -> list[list[float]]:
    """Ends of the interval as a line; unlike an error bar, it need not contain the value."""
    low, high = entry.ci95 or (np.nan, np.nan)
    return [[low], [high]]


def by_view(table: StudyTable) -> Figure:
    """Plot each arm and view as a dot with its interval, with the mean over views on the right."""
    looks, count = _looks(table), len(table.arms)
    measures = [m for m in table.measures if m[0] != "range"]
    figure = new_figure(max(5.5, 2.2 + len(measures) * max(0.8, 0.16 * count)), 4.2)
    axes = figure.subplots()
    for i, arm in enumerate(table.arms):
        # beside the dots of the other arms, so that none hides another
        at = np.arange(len(measures)) + (0.7 * (i + 0.5) / count - 0.35)
        at[-1] += 0.4
        entries = [table.entry(arm, m) for m in measures]
        values = [e.value for e in entries]
        axes.plot(at[:-1], values[:-1], color=looks[arm]["color"], lw=0.8, alpha=0.45)
        for x, entry in zip(at, entries, strict=True):
            axes.plot([x, x], _bar(entry), color=looks[arm]["color"], lw=1.6, alpha=0.55)
        axes.plot(at, values, ls="", ms=5, label=arm, **looks[arm])
    axes.axvline(len(measures) - 1.3, color="#cccccc", lw=0.8)
    ticks = [*range(len(measures) - 1), len(measures) - 0.6]
    names = [table.title(m) for m in measures]
    tilt: dict[str, Any] = {"rotation": 30, "ha": "right"} if max(map(len, names[:-1])) > 9 else {}
    axes.set_xticks(ticks, [*names[:-1], "mean"], **tilt)
    axes.grid(False, axis="x")
    axes.set_ylabel("macro AUROC")
    figure.legend(loc="outside right center")
    return figure


def by_arm(table: StudyTable) -> Figure:
    """Plot each arm of a single view as a dot with its interval, and its seeds as strokes."""
    figure = new_figure(6.4, 1.1 + 0.34 * len(table.arms))
    axes = figure.subplots()
    for row, arm in enumerate(table.arms):
        entry, look = table.entry(arm, table.headline), _looks(table)[arm]
        axes.plot(_bar(entry), [row, row], color=look["color"], lw=2, alpha=0.55)
        if len(entry.seeds) > 1:
            axes.plot(entry.seeds, [row + 0.25] * len(entry.seeds), "|", color=GREY, ms=5)
        axes.plot(entry.value, row, ls="", ms=6, **look)
    _rows(axes, table.arms)
    axes.set_xlabel("macro AUROC, 95 % interval over patients; strokes are seeds")
    return figure


def forest(table: StudyTable) -> Figure:
    """Plot differences to the reference, with a panel for each figure, mean and range first."""
    order = table.shown
    across = min(4, len(order))
    down = -(-len(order) // across)
    height = 0.7 + down * (0.75 + 0.25 * len(table.compared))
    figure = new_figure(max(6.0, 1.6 + 2.1 * across), height)
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes in panels.ravel()[len(order) :]:
        axes.set_visible(False)
    looks = _looks(table)
    for axes, measure in zip(panels.ravel(), order, strict=False):
        for row, arm in enumerate(table.compared):
            difference = table.entry(arm, measure).difference
            assert difference is not None  # as `compared` says
            color = looks[arm]["color"]
            axes.plot(_bar(difference), [row, row], color=color, lw=1.8, alpha=0.55)
            axes.plot(difference.value, row, ls="", ms=4.5, **looks[arm])
        axes.axvline(0, color=GREY, lw=0.9)
        axes.set_title(table.title(measure), loc="left")
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
        _rows(axes, table.compared)
    figure.supxlabel(f"macro AUROC less that of {table.reference}, 95 % interval over patients",
                     fontsize=8.5)  # fmt: skip
    return figure


def curve(table: StudyTable, x_label: str) -> Figure:
    """Plot the headline figure over x, a line and band for each group; other arms as levels."""
    figure = new_figure(6.6, 4.2)
    axes = figure.subplots()
    placed = {a: x for a, x in table.xs.items() if x is not None}
    groups = list(dict.fromkeys(table.groups[a] for a in placed))
    for i, group in enumerate(groups):
        arms = sorted((a for a in placed if table.groups[a] == group), key=placed.__getitem__)
        entries = [table.entry(a, table.headline) for a in arms]
        xs, color = [placed[a] for a in arms], PALETTE[i % len(PALETTE)]
        low, high = np.array([e.ci95 or (np.nan, np.nan) for e in entries]).T
        axes.fill_between(xs, low, high, color=color, alpha=0.13, lw=0)
        for x, a, b in zip(xs, low, high, strict=True):
            axes.plot([x, x], [a, b], color=color, lw=1, alpha=0.4)
        axes.plot(xs, [e.value for e in entries], color=color, marker=MARKERS[i % len(MARKERS)],
                  ms=5, lw=1.5, label=group or "arms")  # fmt: skip
    for i, arm in enumerate(a for a in table.arms if a not in placed):
        color = PALETTE[(len(groups) + i) % len(PALETTE)]
        value = table.entry(arm, table.headline).value
        axes.axhline(value, color=color, lw=1.2, ls="--", label=arm)
    xs = sorted(set(placed.values()))
    if xs[0] > 0 and xs[-1] / xs[0] >= LOG_FROM:
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xticks(xs, [f"{x:g}" for x in xs])
    mean = f", {table.title(table.headline)}" if len(table.views) > 1 else ""
    axes.set(xlabel=x_label, ylabel=f"macro AUROC{mean}")
    figure.legend(loc="outside right center")
    return figure


def _rows(axes: Axes, names: tuple[str, ...]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(False, axis="y")
