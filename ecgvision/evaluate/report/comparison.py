"""Report of a paired comparison: one HTML file, a table and a figure of the differences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from ecgvision.core.atomic_io import atomic_folder, write_json
from ecgvision.core.run_folder import METRICS
from ecgvision.evaluate.assessment.assess import rows_of
from ecgvision.evaluate.report.figures import PALETTE, STYLE, as_svg, new_figure
from ecgvision.evaluate.report.folder import DRAWINGS, REPORT, TABLES, check_folder
from ecgvision.evaluate.report.html import svg_figure, write_page

TEMPLATE = Path(__file__).with_name("comparison.html.j2")


def write_comparison(
    folder: str | Path, differences: pd.DataFrame, *, names: tuple[str, str],
    about: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write report.html, metrics.json, tables/ and figures/, all of them or nothing.

    Args:
        folder: replaced if it holds an evaluation.
        differences: see `ecgvision.evaluate.comparison.differences_table`.
        names: of A and B.
        about: inputs and options, for metrics.json and the end of the report.

    Raises:
        OutputError: if the folder holds something else.
    """
    check_folder(folder)
    svg = differences_figure(differences, names)
    rows = rows_of(differences)
    views = list(dict.fromkeys(row["view"] for row in rows))
    with atomic_folder(folder) as made:
        (made / TABLES).mkdir()
        differences.to_csv(made / TABLES / "differences.csv", index=False)
        (made / DRAWINGS).mkdir()
        (made / DRAWINGS / "differences.svg").write_text(svg, encoding="utf-8")
        write_page(
            made / REPORT, TEMPLATE, title="Paired comparison",
            facts=[("A", names[0]), ("B", names[1]), ("records", str(rows[0]["n"])),
                   ("patients", str(rows[0]["patients"])), ("labels",
                   str(differences["label"].nunique() - 1)), ("views", str(len(views)))],
            drawn=svg_figure(svg, "AUROC of A less that of B, with 95 % intervals over patients. "
                             "Right of 0, A is better."),
            views=[{"name": view, "macro": [r for r in rows if r["view"] == view
                                            and r["label"] == "macro"],
                    "labels": [r for r in rows if r["view"] == view and r["label"] != "macro"]}
                   for view in views],
            config=about,
        )  # fmt: skip
        write_json(made / METRICS, {**about, "differences": rows})


def differences_figure(differences: pd.DataFrame, names: tuple[str, str]) -> str:
    """Plot the difference in AUROC of each view and label as a dot with its interval, as SVG."""
    rows = differences[(differences["metric"] == "auroc") & differences["difference"].notna()]
    several = rows["view"].nunique() > 1
    with matplotlib.rc_context(STYLE):
        figure = new_figure(6.4, 0.9 + 0.24 * max(len(rows), 1))
        axes = figure.subplots()
        axes.axvline(0, color="#888888", lw=0.8)
        labels = []
        for at, (_, row) in enumerate(rows.iterrows()):
            colour = PALETTE[1] if row["label"] == "macro" else PALETTE[0]
            marker = "D" if row["label"] == "macro" else "o"
            axes.plot([row["difference_low"], row["difference_high"]], [at, at], color=colour,
                      lw=1.8, alpha=0.55)  # fmt: skip
            axes.plot(row["difference"], at, marker, ms=5, color=colour)
            labels.append(f"{row['view']}: {row['label']}" if several else str(row["label"]))
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.grid(False, axis="y")
        axes.set_xlabel(f"AUROC of {names[0]} − {names[1]}")
        return as_svg(figure)
