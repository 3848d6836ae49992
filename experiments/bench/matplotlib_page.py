"""Reference page drawn by matplotlib, to compare the renderer's speed and ink with."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX
from ecgvision.core.page import Page
from ecgvision.render.papers.named import Rgb, Style


def draw(
    signal: NDArray[np.float32], rate: float, page: Page, style: Style, *, lean: bool = False
) -> NDArray[np.uint8]:
    """Draw grid, traces, pulses and lead names, in mm on axes that fill the page.

    Args:
        signal: (12, T) mV.
        rate: Hz.
        page: geometry of the page.
        style: colours and widths.
        lean: draw the grid as four line collections on bare axes, the fastest way that we know in
            matplotlib. Otherwise use matplotlib's own grid (`Axes.grid` on major and minor ticks).

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = page.size
    figure = Figure(figsize=(width / page.dpi, height / page.dpi), dpi=page.dpi)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, page.paper_mm[1])
    axes.set_ylim(0, page.paper_mm[0])
    if lean:
        axes.set_axis_off()
    if style.grid:
        (_lean_grid if lean else _ticked_grid)(axes, page, style)
    ink = _rgb(style.ink or (0, 0, 0))
    for row in {c.row: c for c in page.cells}.values():
        if page.pulse and style.pulse:
            x = page.left_mm + np.array([0, 0, 5, 5]) * page.speed / 25
            y = page.baseline_mm(row) + np.array([0, 1, 1, 0]) * page.gain
            axes.plot(x, y, color=ink, lw=style.pulse_pt)
    for cell in page.cells:
        span = page.samples(cell, signal.shape[1], rate)
        x = (
            page.start_mm(cell)
            + (np.arange(span.start, span.stop) / rate - cell.start) * page.speed
        )
        mv = signal[LEAD_INDEX[cell.lead], span].astype(float)
        y = page.baseline_mm(cell) + cell.sign * mv * page.gain
        axes.plot(x, y, color=ink, lw=style.trace_pt)
        if style.lead_names:
            axes.text(page.start_mm(cell), page.baseline_mm(cell) - 7, cell.label, fontsize=11)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def _ticked_grid(axes: Axes, page: Page, style: Style) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(5))
        axis.set_minor_locator(MultipleLocator(1))
    axes.tick_params(which="both", length=0, labelleft=False, labelbottom=False)
    for which, colour in zip(("major", "minor"), style.grid_rgb, strict=True):
        axes.grid(True, which=which, color=_rgb(colour), lw=0.5)  # type: ignore[arg-type]


def _lean_grid(axes: Axes, page: Page, style: Style) -> None:
    high, wide = page.paper_mm
    for end, other, flip in ((wide, high, False), (high, wide, True)):
        steps = np.arange(int(end) + 1)
        for wanted, colour in zip((steps % 5 == 0, steps % 5 != 0), style.grid_rgb, strict=True):
            at = steps[wanted].astype(float)
            lines = np.stack([np.stack([at, 0 * at], 1), np.stack([at, 0 * at + other], 1)], 1)
            lines = lines[..., ::-1] if flip else lines
            axes.add_collection(LineCollection(list(lines), colors=[_rgb(colour)], linewidths=0.5))


def _rgb(colour: Rgb) -> tuple[float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255
