"""report.html of a pretraining: its curves, and whether the network collapsed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ecgvision.core.atomic_io import atomic_file
from ecgvision.evaluate.report import figures
from ecgvision.evaluate.report.html import Markup, facts, figure, page, table, tag

COLUMNS = {"loss": "loss", "spread": "spread", "used": "used", "unsure": "unsure"}


def write_pretrain_report(
    path: str | Path, *, config: Mapping[str, Any], metrics: Mapping[str, Any],
    history: pd.DataFrame,
) -> None:  # fmt: skip
    """Writes the report; the file appears whole or not at all.

    Args:
        path: where.
        config: the run's configuration, plain containers.
        metrics: the object of metrics.json.
        history: one row an epoch, with `epoch`, `train/loss` and what else was logged.
    """
    found = metrics["pretraining"]
    title = f"{found['modality']} by {found['method']}: pretraining"
    verdict = found["collapse"]["verdict"]
    head = tag(
        "header",
        tag("h1", title),
        facts([
            ("data", metrics["data"]["name"]),
            ("training records", f"{metrics['data']['train']:,}"),
            ("epochs", len(found["epochs"])),
            ("verdict", verdict),
            ("wall time", f"{metrics['wall_seconds']:.0f} s"),
        ]),
        tag("p", _sentence(verdict)),
    )  # fmt: skip
    document = page(title, head, _curves(history), _epochs(found["epochs"]), _configuration(config))
    with atomic_file(path) as part:
        part.write_text(document, encoding="utf-8")


def _sentence(verdict: str) -> str:
    if verdict == "healthy":
        return "At the end the network told records apart: no sign of collapse."
    return f"The network collapsed ({verdict}): nothing should be fine-tuned from it."


def _curves(history: pd.DataFrame) -> Markup:
    shown = history.drop(columns=[c for c in history if str(c).startswith("val/")])
    svg = figures.training(shown)
    if svg is None:
        return Markup("")
    return tag("section", tag("h2", "Training"), figure(svg, "By epoch."))


def _epochs(epochs: list[dict[str, Any]]) -> Markup:
    rows = [
        [e["epoch"], *(f"{e[name]:.4f}" if name in e else "" for name in COLUMNS),
         "collapses" if e.get("collapsed") else ""]
        for e in epochs
    ]  # fmt: skip
    caption = (
        "Of the last records of each epoch. Spread of the unit features: 1 without preference, 0 "
        "for one and the same. Used: entropy of the mean assignment over the largest there can "
        "be. Unsure: mean entropy of single assignments over the largest; both with prototypes "
        "only."
    )
    head = ["epoch", *COLUMNS.values(), "watch"]
    body = table(head, rows, numeric=tuple(range(len(COLUMNS) + 1)), caption=caption)
    return tag("section", tag("h2", "Epochs and collapse watch"), body)


def _configuration(config: Mapping[str, Any]) -> Markup:
    content = tag("pre", json.dumps(config, indent=2, default=str))
    return tag(
        "section",
        tag("h2", "Configuration"),
        tag("details", tag("summary", "Every value of this run"), content),
    )
