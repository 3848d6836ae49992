"""Figures of an assessment: reliability by label, net benefit, rejection and subgroups, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ecgvision.evaluate.report.figures import INK, MAX_PANELS, PALETTE, STYLE, as_svg, new_figure

GREY = "#999999"


def most_frequent(calibration: pd.DataFrame) -> list[str]:
    """Return the labels that get a panel: the `MAX_PANELS` with most positives, in table order."""
    labels = calibration[calibration["label"] != "macro"]
    kept = set(labels.nlargest(MAX_PANELS, "positives", keep="first")["label"])
    return [label for label in labels["label"] if label in kept]


def reliability(table: pd.DataFrame, labels: Sequence[str]) -> str:
    """Plot the share of positives against the probability, a panel for each label."""

    def draw(axes: Axes, rows: pd.DataFrame) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":")
        bars = np.stack([rows["observed"] - rows["observed_low"],
                         rows["observed_high"] - rows["observed"]])  # fmt: skip
        axes.errorbar(rows["predicted"], rows["observed"], np.nan_to_num(np.maximum(bars, 0)),
                      fmt="o-", ms=3.5, lw=1.2, elinewidth=1, color=PALETTE[0])  # fmt: skip
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_xticks([0, 0.5, 1])
        axes.set_yticks([0, 0.5, 1])

    return _panels(table, labels, draw, "predicted probability", "share of positives")


def net_benefit(table: pd.DataFrame, labels: Sequence[str]) -> str:
    """Plot net benefit against the threshold probability, a panel for each label."""

    def draw(axes: Axes, rows: pd.DataFrame) -> None:
        axes.axhline(0, color=INK, lw=0.8)
        axes.plot(rows["threshold"], rows["call_all"], color=GREY, lw=1, ls="--")
        axes.fill_between(rows["threshold"], rows["net_benefit_low"], rows["net_benefit_high"],
                          color=PALETTE[0], alpha=0.15, lw=0)  # fmt: skip
        axes.plot(rows["threshold"], rows["net_benefit"], color=PALETTE[0], lw=1.4)
        top = float(rows["net_benefit_high"].max())
        axes.set(xlim=(0, 0.5), ylim=(-0.15 * top, 1.1 * top) if top > 0 else None)

    return _panels(table, labels, draw, "threshold probability", "net benefit")


def risk_coverage(table: pd.DataFrame) -> str:
    """Plot the share of wrong decisions and of records with one against the share answered."""
    with matplotlib.rc_context(STYLE):
        figure = new_figure(4.6, 3.0)
        axes = figure.subplots()
        for name, label, colour in (("any_wrong", "records with a wrong decision", PALETTE[1]),
                                    ("risk", "wrong decisions", PALETTE[0])):  # fmt: skip
            axes.fill_between(table["coverage"], table[f"{name}_low"], table[f"{name}_high"],
                              color=colour, alpha=0.15, lw=0)  # fmt: skip
            axes.plot(table["coverage"], table[name], "o-", ms=3, lw=1.3, color=colour, label=label)
        axes.set(xlim=(0, 1.02), ylim=(0, None), xlabel="share of records answered",
                 ylabel="share")  # fmt: skip
        axes.legend(loc="upper left", fontsize=7.5)
        return as_svg(figure)


def subgroups(table: pd.DataFrame, metric: str = "auroc") -> str | None:
    """Plot the macro figure of each group with its interval; None if all are suppressed."""
    rows = table[(table["label"] == "macro") & table[metric].notna()]
    if rows.empty:
        return None
    with matplotlib.rc_context(STYLE):
        figure = new_figure(5.6, 0.7 + 0.24 * (len(rows) + rows["subgroup"].nunique()))
        axes = figure.subplots()
        at, places, names = 0.0, [], []
        for number, (column, group) in enumerate(rows.groupby("subgroup", sort=False)):
            colour = PALETTE[number % len(PALETTE)]
            for _, row in group.iterrows():
                axes.plot([row[f"{metric}_low"], row[f"{metric}_high"]], [at, at], color=colour,
                          lw=1.8, alpha=0.55)  # fmt: skip
                axes.plot(row[metric], at, "o", ms=5, color=colour)
                places.append(at)
                names.append(f"{column}: {row['group']} (n = {row['records']})")
                at += 1
            at += 0.6
        axes.set_yticks(places, names)
        axes.set_ylim(at - 0.6, -0.8)
        axes.grid(False, axis="y")
        axes.set_xlabel(f"macro {metric.upper()}, 95 % interval over patients")
        return as_svg(figure)


def _panels(
    table: pd.DataFrame, labels: Sequence[str], draw: Callable[[Axes, pd.DataFrame], None],
    x_name: str, y_name: str,
) -> str:  # fmt: skip
    """Draw one panel for each label, up to four in a row."""
    across = min(4, len(labels))
    down = -(-len(labels) // across)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(2.35 * across + 0.3, 2.1 * down + 0.4)
        panels = figure.subplots(down, across, squeeze=False)
        for axes in panels.ravel()[len(labels) :]:
            axes.set_visible(False)
        for axes, label in zip(panels.ravel(), labels, strict=False):
            draw(axes, table[table["label"] == label])
            axes.set_title(label, loc="left")
        figure.supxlabel(x_name, fontsize=8.5)
        figure.supylabel(y_name, fontsize=8.5)
        return as_svg(figure)
