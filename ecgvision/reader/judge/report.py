"""report.html of a reader: how well it reads, by layout, artefact and lead, and some pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.ecg import LEADS
from ecgvision.evaluate.report import figures
from ecgvision.evaluate.report.html import Markup, facts, figure, page, picture, table, tag
from ecgvision.reader.judge.figures import confidence_diagram, snr_by_layout
from ecgvision.reader.overlay import draw_reading

HEAD = ["", "pages", "refused", "leads", "SNR dB, median", "95 % interval", "mean", "lowest tenth",
        "Challenge's scorer dB, mean", "Kaggle 2025 dB", "correlation, median",
        "RMSE mV, median", "amplitude mV, median", "interval ms, median",
        "shift ms, median", "presence, mean", "said", "right"]  # fmt: skip
TABLES = {"layout": "By layout", "artefact": "By artefact", "view": "By layout and artefact",
          "paper": "By paper", "gain": "By gain, mm/mV", "speed": "By speed, mm/s",
          "lead": "By lead"}  # fmt: skip
CAPTION = (
    "Of what digitize writes; 95 % intervals by bootstrap over patients. SNR after alignment as "
    "in the PhysioNet Challenge 2024, early readings in full; the Challenge's own scorer drops "
    "most of an early reading. Kaggle 2025: that competition's score, over pages. Figures of two "
    "rules must not be compared. Shift: by how much alignment moved a lead in time. Amplitude and "
    "interval: mean absolute errors of the tallest waves of a lead, and of the times between "
    "them. Presence: share of a lead's samples of which it was rightly said whether they were "
    "printed. Refused: pages below the confidence that is asked for; they are in all other "
    "figures. Said and right: of the leads found the mean confidence, and the mean share of "
    "samples that are within 0.1 mV of the record."
)


def write_reading_report(
    path: str | Path, *, config: Mapping[str, Any], metrics: Mapping[str, Any],
    judged: pd.DataFrame, history: pd.DataFrame | None, examples: Sequence[Mapping[str, Any]],
) -> None:  # fmt: skip
    """Writes the report; the file appears whole or not at all.

    Args:
        path: where.
        config: the run's configuration, plain containers.
        metrics: the object of metrics.json.
        judged: one row for each test page and lead, settled (see `reading_confidence`).
        history: one row an epoch, or None.
        examples: as `reading.read_split` gives them.
    """
    found = metrics["reading"]
    best = found["test"]["all"]["snr_db"]["median"]
    head = tag(
        "header",
        tag("h1", "read: a page reader"),
        facts([
            ("data", metrics["data"]["name"]),
            ("test pages", f"{found['test']['all']['pages']:,}"),
            ("median SNR", "not defined" if best is None else f"{best:.1f} dB"),
            *([("wall time", f"{metrics['wall_seconds']:.0f} s")]
              if "wall_seconds" in metrics else []),
        ]),
    )  # fmt: skip
    sections = [_table("At a glance", found["test"], ("all",)), _boxes(judged), _sure(judged)]
    sections += [
        _table(title, found["test"], keys)
        for key, title in TABLES.items()
        if (keys := [k for k in found["test"] if k.startswith(f"{key}:")])
    ]
    content = tag("pre", json.dumps(config, indent=2, default=str))
    document = page(
        "read: a page reader", head, *sections, _curves(history), _examples(examples),
        tag("section", tag("h2", "Configuration"),
            tag("details", tag("summary", "Every value of this run"), content)),
    )  # fmt: skip
    with atomic_file(path) as part:
        part.write_text(document, encoding="utf-8")


def _number(value: float | None, digits: int, times: float = 1) -> str:
    return "" if value is None else f"{times * value:.{digits}f}"


def _interval(value: Sequence[float] | None) -> str:
    return "" if value is None else f"{value[0]:.1f} to {value[1]:.1f}"


def _table(title: str, found: Mapping[str, Any], keys: Sequence[str]) -> Markup:
    rows = [
        [key.partition(":")[2] or "all pages",
         *(f"{f[k]:,}" for k in ("pages", "refused", "leads")),
         _number(f["snr_db"]["median"], 1), _interval(f["snr_db"]["ci95"]),
         *(_number(f["snr_db"][k], 1) for k in ("mean", "p10")),
         _number(f["snr_official_db"]["mean"], 1), _number(f["snr_kaggle_db"]["value"], 1),
         _number(f["correlation"]["median"], 3), _number(f["rmse_mv"]["median"], 3),
         _number(f["amplitude_error_mv"]["median"], 3),
         *(_number(f[k]["median"], 1, 1000) for k in ("interval_error_s", "time_shift_s")),
         _number(f["presence_accuracy"]["mean"], 3),
         *(_number(f["confidence"][k], 2) for k in ("said", "right"))]
        for key in keys
        for f in (found[key],)
    ]  # fmt: skip
    body = table(HEAD, rows, numeric=tuple(range(1, len(HEAD))), caption=CAPTION)
    return tag("section", tag("h2", title), body)


def _boxes(judged: pd.DataFrame) -> Markup:
    if (svg := snr_by_layout(judged)) is None:
        return Markup("")
    about = "Medians and quartiles; whiskers as far as leads lie within 1.5 times their distance."
    return tag("section", tag("h2", "How well it reads"), figure(svg, about))


def _sure(judged: pd.DataFrame) -> Markup:
    if (svg := confidence_diagram(judged)) is None:
        return Markup("")
    about = ("Leads that were found, in tenths by confidence: on the diagonal a confidence is the "
             "share of samples that are right. Calibrated on validation pages.")  # fmt: skip
    return tag("section", tag("h2", "How sure it is"), figure(svg, about))


def _curves(history: pd.DataFrame | None) -> Markup:
    if history is None or (svg := figures.training(history)) is None:
        return Markup("")
    return tag("section", tag("h2", "Training"), figure(svg, "By epoch."))


def _examples(examples: Sequence[Mapping[str, Any]]) -> Markup:
    shown = []
    for e in examples:
        image = np.ascontiguousarray(np.moveaxis(np.asarray(e["image"]), 0, -1))
        drawn = draw_reading(image, e["trace"], e["found"], LEADS)
        name = f"record {e['record_id']}, {e['layout']}, {e['artefact']}"
        shown.append(tag("figure", picture(drawn, name), tag("figcaption", name)))
    if not shown:
        return Markup("")
    return tag("section", tag("h2", "Pages of the test folds, and what was read"), *shown)
