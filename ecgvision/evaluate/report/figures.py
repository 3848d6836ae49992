"""Figures of the report, each as the text of an SVG document."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgvision.evaluate.metrics import calibration, curves
from ecgvision.evaluate.metrics.bootstrap import patients_of
from ecgvision.evaluate.predictions import codes_of, logits_of, probabilities_of, targets_of

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that readers with any colour vision can distinguish (Okabe and Ito 2008)."""
INK = "#333333"
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.grid": True,
    "grid.color": "#e8e8e8",
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": "#666666",
    "ytick.color": "#666666",
    "legend.frameon": False,
    "text.parse_math": False,  # a label may hold a dollar sign
    "svg.hashsalt": "ecgvision",  # the same run writes the same bytes
}
MAX_PANELS = 12


def colours(streams: Sequence[str]) -> dict[str, str]:
    """Assign a colour to each stream, in the order given."""
    return {s: PALETTE[i % len(PALETTE)] for i, s in enumerate(streams)}


def new_figure(width: float, height: float) -> Figure:
    """Create an empty figure of a size in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def as_svg(figure: Figure) -> str:
    """Return the text of an SVG element; equal figures give equal text."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]  # without the XML declaration, whose doctype names a web page


def shown_codes(table: pd.DataFrame) -> list[str]:
    """Return the labels that get a panel: the `MAX_PANELS` with most positives, in table order."""
    codes, positives = codes_of(table), targets_of(table).sum(axis=0)
    kept = np.sort(np.argsort(-positives.astype(np.int64), kind="stable")[:MAX_PANELS])
    return [codes[i] for i in kept]


def intervals(test: Mapping[str, Any], codes: Sequence[str], metric: str = "auroc") -> str:
    """Plot each label and stream as a dot with its interval, with macro figures on top."""
    streams = [key for key in test if "@" not in key]
    colour = colours(streams)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(8.2, 0.9 + 0.2 * (len(codes) + 1) * max(2, len(streams)))
        axes = figure.subplots()
        for row, name in enumerate(["macro", *codes]):
            for i, stream in enumerate(streams):
                entry = test[stream]
                item = entry[f"macro_{metric}"] if row == 0 else entry["per_class"][name][metric]
                if item["value"] is None:
                    continue
                at = row + (i - (len(streams) - 1) / 2) * 0.24
                label = stream if row == 0 else None
                marker = "D" if row == 0 else "o"
                axes.plot(item["ci95"], [at, at], color=colour[stream], lw=1.8, alpha=0.55)
                axes.plot(item["value"], at, marker, color=colour[stream], ms=5, label=label)
        axes.axhline(0.5, color="#aaaaaa", lw=0.8)
        axes.set_yticks(range(len(codes) + 1), ["macro", *codes])
        axes.set_ylim(len(codes) + 0.6, -0.6)
        axes.grid(False, axis="y")
        axes.set_xlabel(f"{metric.upper()}, 95 % interval over patients")
        figure.legend(loc="outside upper right", ncols=len(streams))
        return as_svg(figure)


def roc_and_pr(tables: Mapping[str, pd.DataFrame], codes: Sequence[str], draws: int) -> str:
    """Plot a pair of panels for each label, ROC left and PR right, with all streams in both."""
    colour = colours(list(tables))
    across = 2 if len(codes) > 1 else 1
    rows = -(-len(codes) // across)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(4.8 * across, 0.4 + 2.3 * rows)
        panels = figure.subplots(rows, 2 * across, squeeze=False)
        for axes in panels.ravel()[2 * len(codes) :]:
            axes.set_visible(False)
        for i, code in enumerate(codes):
            left, right = panels.ravel()[2 * i : 2 * i + 2]
            _curves_of_label(left, right, tables, code, colour, draws)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(tables))
        return as_svg(figure)


def _curves_of_label(
    left: Axes,
    right: Axes,
    tables: Mapping[str, pd.DataFrame],
    code: str,
    colour: Mapping[str, str],
    draws: int,
) -> None:
    for stream, table in tables.items():
        c = codes_of(table).index(code)
        y = targets_of(table)[:, c]
        pair = curves.roc_and_pr(logits_of(table)[:, c], y, patients_of(table), draws=draws)
        if pair is None:
            continue
        for axes, curve, step in zip((left, right), pair, (None, "pre"), strict=True):
            axes.fill_between(
                curves.GRID, curve.low, curve.high, color=colour[stream], alpha=0.14, lw=0
            )
            style = f"steps-{step}" if step else "default"
            axes.plot(curve.x, curve.y, color=colour[stream], lw=1.3, label=stream, drawstyle=style)
        right.axhline(float(y.mean()), color="#999999", lw=0.8, ls=":")
    left.plot([0, 1], [0, 1], color="#999999", lw=0.8, ls=":")
    for axes, x, y_name in ((left, "1 - specificity", "recall"), (right, "recall", "precision")):
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y_name)
        axes.set_xticks([0, 0.5, 1])
        axes.set_yticks([0, 0.5, 1])
    left.set_title(code, loc="left")


def reliability(tables: Mapping[str, pd.DataFrame]) -> str:
    """Plot observed against predicted, labels pooled, with and without the fitted temperature."""
    with matplotlib.rc_context(STYLE):
        figure = new_figure(max(4.4, 2.9 * len(tables)), 3.1)
        panels = figure.subplots(1, len(tables), squeeze=False, sharex=True, sharey=True)[0]
        for axes, (stream, table) in zip(panels, tables.items(), strict=True):
            y = targets_of(table)
            raw = 1 / (1 + np.exp(-np.clip(logits_of(table), -500, 500)))
            both = (("raw logits", raw, "#999999"), ("as deployed", probabilities_of(table), None))
            for label, p, grey in both:
                points = calibration.reliability(p.ravel(), y.ravel())
                label += f" (ECE {calibration.classwise_ece(p, y):.3f})"
                colour = grey or colours(list(tables))[stream]
                axes.plot(points.predicted, points.observed, "o-", ms=4, color=colour, label=label)
            axes.plot([0, 1], [0, 1], color="#999999", lw=0.8, ls=":")
            axes.set(title=stream, xlabel="predicted probability", xlim=(-0.02, 1.02))
            axes.legend(loc="upper left")
        panels[0].set(ylabel="share of positives", ylim=(-0.02, 1.02))
        return as_svg(figure)


def training(history: pd.DataFrame) -> str | None:
    """Plot losses, validation scores and others by epoch, with a panel for each kind.

    Returns:
        None if the history has no epochs or none of the kinds.
    """
    if "epoch" not in history.columns:
        return None
    names = [
        c for c in history.columns
        if "/" in str(c) and pd.api.types.is_numeric_dtype(history[c]) and history[c].notna().any()
    ]  # fmt: skip
    groups = {
        "loss": [c for c in names if c.rsplit("/", 1)[1] == "loss"],
        "parts of the loss": [c for c in names if "loss_" in c or c.endswith("_loss")],
        "validation score": [
            c for c in names if any(m in c for m in ("auroc", "auprc", "f1"))
        ],
        "collapse watch": [c for c in names if c.rsplit("/", 1)[1] in ("spread", "used", "unsure")],
        "learning rate": [c for c in names if c.startswith("lr")],
    }  # fmt: skip
    groups = {title: group for title, group in groups.items() if group}
    if not groups:
        return None
    with matplotlib.rc_context(STYLE):
        figure = new_figure(max(4.4, 3.1 * len(groups)), 2.9)
        panels = figure.subplots(1, len(groups), squeeze=False)[0]
        for axes, (title, group) in zip(panels, groups.items(), strict=True):
            for i, name in enumerate(group):
                line = history[["epoch", name]].dropna().groupby("epoch").last()[name]
                marker = "o" if len(line) < 25 else ""
                axes.plot(line.index, line, marker=marker, ms=3, lw=1.3, label=name,
                          color=PALETTE[i % len(PALETTE)])  # fmt: skip
            axes.set(title=title, xlabel="epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(fontsize=7)
        return as_svg(figure)
