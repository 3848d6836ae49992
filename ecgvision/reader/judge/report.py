"""report.html of a reader: figures by layout, artefact and lead, and example pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgvision.core.ecg import LEADS
from ecgvision.evaluate.report import figures
from ecgvision.evaluate.report.html import picture_uri, svg_figure, thousands, write_page
from ecgvision.reader.judge.figures import confidence_diagram, snr_by_layout
from ecgvision.reader.overlay import draw_reading

TEMPLATE = Path(__file__).with_name("reading.html.j2")

GROUPS = {"layout": "By layout", "artefact": "By artefact", "view": "By layout and artefact",
          "paper": "By paper", "gain": "By gain, mm/mV", "speed": "By speed, mm/s",
          "lead": "By lead"}  # fmt: skip
"""Headings of the tables, by the prefix of the keys of `summary.summarise`."""


def write_reading_report(
    path: str | Path, *, config: Mapping[str, Any], metrics: Mapping[str, Any],
    judged: pd.DataFrame, history: pd.DataFrame | None, examples: Sequence[Mapping[str, Any]],
) -> None:  # fmt: skip
    """Write the report; the file appears whole or not at all.

    Args:
        path: the file.
        config: the run's configuration, plain containers.
        metrics: content of metrics.json.
        judged: one row for each test page and lead, with confidences from
            `calibrate.add_confidence`.
        history: one row for each epoch, or None.
        examples: pages as `read_split.read_split` returns them.
    """
    found = metrics["reading"]["test"]
    write_page(
        path,
        TEMPLATE,
        title="read: a page reader",
        facts=_facts(metrics),
        all=found["all"],
        snr=svg_figure(
            snr_by_layout(judged),
            "Medians and quartiles. Whiskers end at the last lead within 1.5 times the distance "
            "between the quartiles.",
        ),
        confidence=svg_figure(
            confidence_diagram(judged),
            "Leads that were found, in tenths by confidence. On the diagonal, the confidence "
            "equals the share of samples that are right. Calibrated on validation pages.",
        ),
        groups=[(heading, rows) for key, heading in GROUPS.items() if (rows := _rows(found, key))],
        training=None if history is None else svg_figure(figures.training(history), "By epoch."),
        examples=[_example(example) for example in examples],
        config=config,
    )


def _facts(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and text of the boxes below the title."""
    found = metrics["reading"]["test"]["all"]
    median = found["snr_db"]["median"]
    pairs = [
        ("data", metrics["data"]["name"]),
        ("test pages", thousands(found["pages"])),
        ("median SNR", "not defined" if median is None else f"{median:.1f} dB"),
    ]
    if "wall_seconds" in metrics:
        pairs.append(("wall time", f"{metrics['wall_seconds']:.0f} s"))
    return pairs


def _rows(found: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    """Name and figures of each group with the prefix `key`."""
    prefix = f"{key}:"
    return [(name.removeprefix(prefix), f) for name, f in found.items() if name.startswith(prefix)]


def _example(example: Mapping[str, Any]) -> dict[str, str]:
    image = np.ascontiguousarray(np.moveaxis(np.asarray(example["image"]), 0, -1))
    drawn = draw_reading(image, example["trace"], example["found"], LEADS)
    name = f"record {example['record_id']}, {example['layout']}, {example['artefact']}"
    return {"name": name, "uri": picture_uri(drawn)}
