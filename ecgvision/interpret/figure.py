"""Figure of twelve leads on ECG paper, coloured by attribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import DataError
from ecgvision.evaluate.report.figures import INK, STYLE

PAPER, FINE, COARSE, BLANK = "#fff8f6", "#f7d9d4", "#eeb5ac", "#f1f1f1"
SIGNED = LinearSegmentedColormap.from_list(
    "signed", [(0.03, 0.32, 0.61, 1.0), (0.25, 0.55, 0.80, 0.75), (1.0, 1.0, 1.0, 0.0),
               (0.90, 0.45, 0.10, 0.75), (0.70, 0.16, 0.0, 1.0)],
)  # fmt: skip
"""Blue for negative, orange for positive, transparent near 0; safe for all colour vision."""
SHARE = LinearSegmentedColormap.from_list(
    "share", [(1.0, 1.0, 1.0, 0.0), (0.90, 0.45, 0.10, 0.75), (0.70, 0.16, 0.0, 1.0)]
)
TOP = 99.5
"""Percentile of the attribution's magnitude at full colour.

Our default: a single outlier must not make all other samples pale."""
COLUMNS = 2
DPI = 130


def attribution_figure(
    ecg: Ecg,
    attribution: NDArray[np.floating],
    *,
    title: str = "",
    meaning: str = "logits per sample",
) -> Figure:
    """Draw a record with its attribution behind the trace.

    Args:
        ecg: the record as the model saw it; NaN (not observed) is left blank.
        attribution: (12, T); NaN is drawn without colour. If any value is negative, the colours
            are signed: orange for positive, blue for negative.
        title: title of the figure.
        meaning: meaning and unit of the attribution, the label of the colour bar.

    Returns:
        The figure; `save_figure` writes it.

    Raises:
        DataError: for an attribution of another shape or with infinite values, or a record without
            observed samples.
    """
    if attribution.shape != ecg.signal.shape:
        raise DataError(
            f"attribution must have the record's shape {ecg.signal.shape}", value=attribution.shape
        )
    if np.isinf(attribution).any() or not ecg.observed.any():
        raise DataError("an attribution must be finite, and a record hold a sample")
    shown = np.where(ecg.observed, attribution, np.nan)
    norm, colours = _scale(shown)
    low, high = _millivolts(ecg)
    rows = len(LEADS) // COLUMNS
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(14.0, 0.9 + rows * max(0.9, 0.42 * (high - low))), dpi=DPI,
                        layout="constrained")  # fmt: skip
        FigureCanvasAgg(figure)
        panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True)
        for i, lead in enumerate(LEADS):
            axes = panels[i % rows, i // rows]
            _paper(axes, ecg, i, (low, high))
            _trace(axes, ecg, i, shown[i], norm, colours)
            axes.text(0.006, 0.95, lead, transform=axes.transAxes, va="top", weight="bold",
                      color=INK, zorder=5)  # fmt: skip
        for axes in panels[-1]:
            axes.set_xlabel("s")
        for axes in panels[:, 0]:
            axes.set_ylabel("mV", rotation=0, labelpad=8)
        scale = ScalarMappable(norm, colours)
        bar = figure.colorbar(scale, ax=panels, pad=0.01, aspect=40, fraction=0.02)
        bar.set_label(meaning)
        bar.outline.set_visible(False)
        if title:
            figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a PNG atomically; the same figure gives the same bytes."""
    with matplotlib.rc_context(STYLE), atomic_file(path) as half:
        figure.savefig(half, format="png", dpi=DPI, metadata={"Software": None})


def _scale(shown: NDArray[np.floating]) -> tuple[Normalize, LinearSegmentedColormap]:
    size = np.abs(shown[np.isfinite(shown)])
    top = float(np.percentile(size, TOP)) if size.size else 0.0
    top = top or float(size.max(initial=0.0)) or 1.0
    if (shown < 0).any():
        return Normalize(-top, top), SIGNED
    return Normalize(0.0, top), SHARE


def _millivolts(ecg: Ecg) -> tuple[float, float]:
    """Return the mV limits of all panels: the range rounded out to 0.5 mV, at least ±0.5 mV."""
    seen = ecg.signal[ecg.observed]
    low, high = np.floor((seen.min() - 0.05) * 2) / 2, np.ceil((seen.max() + 0.05) * 2) / 2
    return float(min(low, -0.5)), float(max(high, 0.5))


def _paper(axes: Axes, ecg: Ecg, lead: int, limits: tuple[float, float]) -> None:
    """Draw paper where the lead is observed, and grey elsewhere.

    Lines are every 0.2 s and 0.5 mV, as at 25 mm/s and 10 mm/mV, with finer ones every 0.1 mV.
    """
    axes.set(xlim=(0, ecg.seconds), ylim=limits, facecolor=BLANK)
    axes.grid(False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    low, high = limits
    axes.set_yticks(np.arange(np.ceil(low), high + 1e-6))
    axes.set_xticks(np.arange(0, ecg.seconds + 1e-6, max(1, round(ecg.seconds / 10))))
    for start, stop in _runs(ecg.observed[lead]):
        left, right = start / ecg.rate, stop / ecg.rate
        axes.axvspan(left, right, color=PAPER, lw=0, zorder=0)
        for step, colour, width in ((0.1, FINE, 0.4), (0.5, COARSE, 0.6)):
            levels = np.arange(np.ceil(low / step - 1e-6), high / step + 1e-6) * step
            axes.hlines(levels, left, right, color=colour, lw=width, zorder=1)
        moments = np.arange(np.ceil(left / 0.2 - 1e-6), right / 0.2 + 1e-6) * 0.2
        axes.vlines(moments, low, high, color=COARSE, lw=0.6, zorder=1)


def _trace(
    axes: Axes, ecg: Ecg, lead: int, shown: NDArray[Any], norm: Normalize, colours: Any
) -> None:
    """Draw the trace over a broad line in the colours of the attribution."""
    t = np.arange(ecg.signal.shape[1]) / ecg.rate
    for start, stop in _runs(ecg.observed[lead]):
        here = slice(start, stop)
        line = np.stack([t[here], ecg.signal[lead, here]], axis=1)  # (n, 2)
        pieces = np.stack([line[:-1], line[1:]], axis=1)
        value = (shown[here][:-1] + shown[here][1:]) / 2
        broad = LineCollection(list(pieces), cmap=colours, norm=norm, lw=6, capstyle="round",
                               zorder=2)  # fmt: skip
        broad.set_array(np.ma.masked_invalid(value))
        axes.add_collection(broad, autolim=False)
        axes.plot(line[:, 0], line[:, 1], color="black", lw=0.75, zorder=3)


def _runs(seen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the ranges [start, stop) of consecutive True values."""
    edges = np.flatnonzero(np.diff(np.r_[False, seen, False]))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
