"""Robustness of a finished labelled run: test records in every layout under every condition."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ecgvision.core.errors import ConfigError, LayoutError
from ecgvision.core.layouts import LAYOUTS
from ecgvision.core.run_folder import BEST, METRICS, read_config, read_metrics
from ecgvision.data.paired import PairedDataModule
from ecgvision.evaluate.assessment.robustness import robustness_table
from ecgvision.evaluate.inference import predict
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.report.robustness import write_robustness
from ecgvision.nn.checkpoints import weights_hash
from ecgvision.render.artefacts import CLEAN, at_strength
from ecgvision.systems.base import EvaluationOptions, System
from ecgvision.systems.evaluation import FOLDER, evaluation_id

ARTEFACTS = ("scan", "fax", "photocopy", "photo", "crumpled", "cut", "blur", "jpeg", "skew",
             "handwriting")  # fmt: skip
STRENGTHS = (0.33, 0.67, 1.0)
PRINTS: dict[str, dict[str, Any]] = {
    "50 mm/s": {"speed": 50.0},
    "5 mm/mV": {"gain": 5.0},
    "20 mm/mV": {"gain": 20.0},
    "low dpi": {"dpi": 50.0},
    "grey grid": {"style": "bw"},
    "no grid": {"style": "plain"},
    "other device": {"style": "muse"},
}
"""Settings of the section `data` for each condition of the print."""

WORST = 6
"""Cells that are shown with a page."""


def every_layout() -> tuple[str, ...]:
    """Return the named layouts that print all twelve leads."""
    return tuple(name for name in LAYOUTS if not name.startswith("1x1"))


def evaluate_robustness(
    system: System, run: Path, options: EvaluationOptions, *, code: str
) -> Path:
    """Judge the run's test records in each layout under each condition.

    A condition that a layout's page has no room for is left out of that layout's cells. Results
    are written to `RUN/evaluations/robustness-<hash>/`.

    Returns:
        The folder with metrics.json, report.html, tables/ and figures/.

    Raises:
        ConfigError: if the run is not finished, or its network sees no page.
        LayoutError: for an unknown layout.
    """
    stored = read_metrics(run)
    points = {stream: OperatingPoints.from_dict(p)
              for stream, p in stored["operating_points"].items()}  # fmt: skip
    config: dict[str, Any] = copy.deepcopy(read_config(run))
    if "artefacts" not in config["data"] or config["model"].get("streams") == "signal":
        raise ConfigError("a network that reads signals alone meets no artefact", file=run,
                          remedy="Judge it by --layouts")  # fmt: skip
    layouts = tuple(options.layouts) or every_layout()
    conditions = [CLEAN, *(at_strength(name, s) for name in ARTEFACTS for s in STRENGTHS)]
    settings = {"layouts": layouts, "conditions": [*conditions, *PRINTS]}
    digest = evaluation_id({**settings, "weights": weights_hash(run / BEST)}, code)
    folder = run / FOLDER / f"robustness-{digest}"
    if (folder / METRICS).is_file() and not options.force:
        return folder
    config["data"] |= {"images": [], "layouts": list(layouts), "artefacts": conditions}
    if "signal_window" in config["data"]:
        config["data"]["signal_window"] = "printed"
    opened = system.open(run, config)
    tables = [predict(opened.task, opened.data, "test", accelerator=options.accelerator)]
    left_out: list[str] = []
    for name, changed in PRINTS.items():
        for layout in layouts:
            found = _printed(system, opened, layout, changed)
            if found is None:
                left_out.append(f"{name} in {layout}")
                continue
            rows = predict(opened.task, found, "test", accelerator=options.accelerator)
            tables.append(rows.assign(artefact=name))
    table = pd.concat(tables, ignore_index=True)
    cells = robustness_table(table, points, clean=CLEAN, seed=config["seed"])
    worst = cells.nsmallest(WORST, "change")
    pages = [_page(system, opened, row) for row in worst.to_dict("records")]
    about = {"exp": config["exp"], "run": run.name, "run_code": stored.get("code"), "code": code,
             "layouts": list(layouts), "artefacts": settings["conditions"],
             "left_out": left_out, "label_hash": stored.get("label_hash"),
             "records": int(table["record_id"].nunique())}  # fmt: skip
    write_robustness(folder, cells, pages=[p for p in pages if p is not None], about=about)
    return folder


def _printed(
    system: System, opened: Any, layout: str, changed: Mapping[str, Any]
) -> PairedDataModule | None:
    """Return the data of one layout with other settings of the print; None if it has no room."""
    config = copy.deepcopy(opened.config)
    config["data"] |= {**changed, "layouts": [layout], "artefacts": [CLEAN]}
    try:
        data: Any = system.data(config, opened.data.cohort)
    except LayoutError:
        return None
    return data


def _page(system: System, opened: Any, cell: Mapping[Any, Any]) -> dict[str, Any] | None:
    """Return the page of the first test record in a cell, with the cell's figures."""
    condition = str(cell["condition"])
    changed = PRINTS.get(condition, {"artefacts": [condition]})
    config = copy.deepcopy(opened.config)
    config["data"] |= {"artefacts": [CLEAN], **changed, "layouts": [cell["layout"]]}
    data: Any = system.data(config, opened.data.cohort)
    if not isinstance(data, PairedDataModule):
        return None
    return {**cell, "image": data.dataset("test").whole_page(0)}
