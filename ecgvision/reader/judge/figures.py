"""Figures of a reader's report, as the text of SVG documents."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd

from ecgvision.evaluate.metrics.calibration import reliability
from ecgvision.evaluate.report.figures import INK, STYLE, as_svg, colours, new_figure


def snr_by_layout(table: pd.DataFrame) -> str | None:
    """Plot the SNR as a box for each layout and artefact, with a dot for each lead of each page.

    Args:
        table: layout, artefact and snr_db of each page and lead.

    Returns:
        None if no lead has an SNR.
    """
    seen = table.dropna(subset="snr_db")
    if seen.empty:
        return None
    layouts, artefacts = (list(dict.fromkeys(seen[key])) for key in ("layout", "artefact"))
    colour, wide = colours(artefacts), 0.8 / len(artefacts)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(8.2, 1.0 + 0.24 * len(layouts) * max(2, len(artefacts)))
        axes = figure.subplots()
        jitter = np.random.default_rng(0)
        for row, layout in enumerate(layouts):
            for i, artefact in enumerate(artefacts):
                chosen = (seen["layout"] == layout) & (seen["artefact"] == artefact)
                values = seen.loc[chosen, "snr_db"].to_numpy()
                if not len(values):
                    continue
                at = row + (i - (len(artefacts) - 1) / 2) * wide
                spread = at + jitter.uniform(-0.25, 0.25, len(values)) * wide
                axes.plot(values, spread, ".", ms=3, color=colour[artefact], alpha=0.35)
                drawn = {"color": colour[artefact]}
                axes.boxplot(
                    values, positions=[at], widths=0.7 * wide, orientation="horizontal",
                    showfliers=False, manage_ticks=False, boxprops=drawn, whiskerprops=drawn,
                    capprops=drawn, medianprops={"color": INK, "lw": 1.8},
                )  # fmt: skip
        for artefact in artefacts:
            axes.plot([], [], "s", color=colour[artefact], label=artefact)
        axes.set_yticks(range(len(layouts)), layouts)
        axes.set_ylim(len(layouts) - 0.4, -0.6)
        axes.grid(False, axis="y")
        axes.set_xlabel("SNR, dB, of each lead of each page")
        figure.legend(loc="outside upper right", ncols=len(artefacts))
        return as_svg(figure)


def confidence_diagram(table: pd.DataFrame) -> str | None:
    """Plot the share of samples that are right against the confidence of the lead, by artefact.

    Args:
        table: artefact, lead_confidence and right of each page and lead.

    Returns:
        None if no lead was found.
    """
    found = table.dropna(subset="right")
    if found.empty:
        return None
    artefacts = list(dict.fromkeys(found["artefact"]))
    colour = colours(artefacts)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(4.4, 3.6)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=":")
        for artefact in artefacts:
            part = found[found["artefact"] == artefact]
            r = reliability(part["lead_confidence"], part["right"])
            axes.plot(r.predicted, r.observed, "o-", ms=4, color=colour[artefact], label=artefact)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence of a lead",
                 ylabel="share of its samples that are right")  # fmt: skip
        axes.legend(loc="upper left")
        return as_svg(figure)
