"""report.html of a pretraining: its curves, and whether the network collapsed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ecgvision.evaluate.report import figures
from ecgvision.evaluate.report.html import svg_figure, thousands, write_page

TEMPLATE = Path(__file__).with_name("pretraining.html.j2")

COLUMNS = ("loss", "spread", "used", "unsure")
"""Figures of an epoch that the table shows."""


def write_pretrain_report(
    path: str | Path, *, config: Mapping[str, Any], metrics: Mapping[str, Any],
    history: pd.DataFrame,
) -> None:  # fmt: skip
    """Write the report; the file appears whole or not at all.

    Args:
        path: the file.
        config: the run's configuration, plain containers.
        metrics: content of metrics.json.
        history: one row for each epoch, with `epoch`, `train/loss` and other logged values.
    """
    found = metrics["pretraining"]
    verdict = found["collapse"]["verdict"]
    trained = history.drop(columns=[c for c in history if str(c).startswith("val/")])
    write_page(
        path,
        TEMPLATE,
        title=f"{found['modality']} by {found['method']}: pretraining",
        facts=[
            ("data", metrics["data"]["name"]),
            ("training records", thousands(metrics["data"]["train"])),
            ("epochs", str(len(found["epochs"]))),
            ("verdict", verdict),
            ("wall time", f"{metrics['wall_seconds']:.0f} s"),
        ],
        verdict=verdict,
        training=svg_figure(figures.training(trained), "By epoch."),
        columns=COLUMNS,
        epochs=found["epochs"],
        config=config,
    )
