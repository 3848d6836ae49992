"""A trained reader judged anew: in other layouts, with other artefacts, of other records."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ecgvision
from ecgvision.build import build_cohort, open_run
from ecgvision.ecg import ConfigError
from ecgvision.evaluate.reading import read_split, summarise, write_reading
from ecgvision.rundir import BEST, METRICS, read_config, read_metrics, weights_hash
from ecgvision.shipped import NAME, READER

FOLDER = "evaluations"
OUT = Path("runs") / "read" / NAME
"""Where evaluations of the package's reader go: it has no run directory of its own."""


def evaluate_reader(
    run: str | Path, *, layouts: Sequence[str] = (), artefacts: Sequence[str] = (),
    stores: Sequence[str] = (), pages: int | None = None, accelerator: str = "auto",
    force: bool = False,
) -> Path:  # fmt: skip
    """Judge a finished reader on pages drawn of records of its test folds.

    Args:
        run: a run directory, or `shipped`.
        layouts, artefacts, stores, pages: instead of the run's own; `pages` at most, spread over
            the folds.
        force: judge again although it has been done.

    Returns:
        The folder with reading.parquet, metrics.json and report.html.

    Raises:
        ConfigError: if the run is not finished, or no store is named for the package's reader.
        LayoutError, StoreError: for an unknown layout, or a store that is none.
    """
    shipped = str(run) == NAME
    run = READER if shipped else Path(run)
    config: dict[str, Any] = copy.deepcopy(read_config(run))
    read_metrics(run)  # it has finished
    data = config["data"]
    data["layouts"] = list(layouts) or data["layouts"]
    data["artefacts"] = list(artefacts) or data["artefacts"]
    data["store"] = list(stores) or data["store"]
    data["test_pages"] = data["test_pages"] if pages is None else pages
    if not data["store"]:
        raise ConfigError("the package's reader comes without records", value=NAME,
                          remedy="Name stores of records with --store")  # fmt: skip
    judged = {key: data[key] for key in ("layouts", "artefacts", "test_pages")}
    judged |= {"records": build_cohort(config).hash, "weights": weights_hash(run / BEST)}
    digest = hashlib.sha256(json.dumps(judged, sort_keys=True).encode()).hexdigest()[:8]
    folder = (OUT if shipped else run) / FOLDER / f"read-{digest}"
    if (folder / METRICS).is_file() and not force:
        return folder
    opened = open_run(run, config)
    table, shown = read_split(opened.task, opened.data, "test", rate=float(data["signal_rate"]),
                              accelerator=accelerator)  # fmt: skip
    result = {
        "exp": config["exp"], "version": ecgvision.__version__,
        "run": NAME if shipped else run.name, "evaluation": judged,
        "layouts": data["layouts"], "artefacts": data["artefacts"],
        "data": {"name": data["name"], "hash": judged["records"],
                 "test": len(opened.data.positions("test"))},
        "reading": {"test": summarise(table)},
    }  # fmt: skip
    write_reading(folder, result, table, config=config, history=None, examples=shown)
    return folder
