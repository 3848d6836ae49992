"""Report of a robustness matrix: heat maps, the cells as a table, and pages of the worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from ecgvision.core.atomic_io import atomic_folder, write_json
from ecgvision.core.run_folder import METRICS
from ecgvision.evaluate.assessment.assess import rows_of
from ecgvision.evaluate.report.figures import STYLE, as_svg, new_figure
from ecgvision.evaluate.report.folder import DRAWINGS, REPORT, TABLES, check_folder, file_name
from ecgvision.evaluate.report.html import picture_uri, svg_figure, write_page

TEMPLATE = Path(__file__).with_name("robustness.html.j2")


def write_robustness(
    folder: str | Path, cells: pd.DataFrame, *, pages: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write report.html, metrics.json, tables/ and figures/, all of them or nothing.

    Args:
        folder: replaced if it holds an evaluation.
        cells: see `ecgvision.evaluate.assessment.robustness.robustness_table`.
        pages: rows of the worst cells with `image`, a uint8 RGB page (H, W, 3).
        about: what was judged, for metrics.json; `exp`, `run`, `records` and `left_out` are shown.

    Raises:
        OutputError: if the folder holds something else.
    """
    check_folder(folder)
    streams = list(cells["stream"].unique())
    drawn = {stream: heat_map(cells[cells["stream"] == stream]) for stream in streams}
    with atomic_folder(folder) as made:
        (made / TABLES).mkdir()
        cells.to_csv(made / TABLES / "robustness.csv", index=False)
        (made / DRAWINGS).mkdir()
        for stream, svg in drawn.items():
            name = f"robustness-{file_name(stream)}.svg"
            (made / DRAWINGS / name).write_text(svg, encoding="utf-8")
        write_page(
            made / REPORT, TEMPLATE, title=f"{about['exp']}: robustness",
            facts=[("run", str(about["run"])), ("test records", str(about["records"])),
                   ("layouts", str(cells["layout"].nunique())),
                   ("conditions", str(cells["condition"].nunique()))],
            left_out=about["left_out"],
            streams=[{"name": s, "rows": rows_of(cells[cells["stream"] == s]),
                      "map": svg_figure(drawn[s], f"Macro AUROC of {s}; colour: change from the "
                                        "clean page of the same layout.")} for s in streams],
            pages=[{**rows_of(pd.DataFrame([{k: v for k, v in page.items() if k != "image"}]))[0],
                    "uri": picture_uri(np.asarray(page["image"]), width=900)} for page in pages],
            config=about,
        )  # fmt: skip
        write_json(made / METRICS, {**about, "cells": rows_of(cells)})


def heat_map(cells: pd.DataFrame) -> str:
    """Draw macro AUROC by condition and layout of one stream, coloured by the change, as SVG."""
    layouts, conditions = (list(cells[c].unique()) for c in ("layout", "condition"))
    shape = (len(conditions), len(layouts))
    auroc, change = np.full(shape, np.nan), np.full(shape, np.nan)
    for cell in cells.itertuples():
        place = conditions.index(cell.condition), layouts.index(cell.layout)
        auroc[place], change[place] = cell.auroc, cell.change
    limit = max(0.02, float(np.nanmax(np.abs(change), initial=0.0)))
    with matplotlib.rc_context(STYLE):
        figure = new_figure(1.9 + 0.62 * len(layouts), 1.2 + 0.2 * len(conditions))
        axes = figure.subplots()
        image = axes.imshow(change, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
        for (row, column), value in np.ndenumerate(auroc):
            if np.isfinite(value):
                dark = abs(change[row, column]) > 0.6 * limit
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7,
                          color="white" if dark else "black")  # fmt: skip
        axes.set_xticks(range(len(layouts)), layouts, rotation=40, ha="left")
        axes.set_yticks(range(len(conditions)), conditions)
        axes.xaxis.tick_top()
        axes.grid(False)
        axes.tick_params(length=0)
        bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
        bar.set_label("change of macro AUROC")
        return as_svg(figure)
