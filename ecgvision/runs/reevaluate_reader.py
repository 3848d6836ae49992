"""A trained reader judged anew: in other layouts, with other artefacts, of other records."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ecgvision
from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import BEST, METRICS, read_config, read_metrics, weights_hash
from ecgvision.core.source_digest import source_digest
from ecgvision.data.module import EcgDataModule
from ecgvision.deploy.reader_card import read_reader_card
from ecgvision.reader.data.folders import FolderPages
from ecgvision.reader.judge.calibrate import settle
from ecgvision.reader.judge.read_split import read_split
from ecgvision.reader.judge.summary import summarise, write_reading
from ecgvision.runs.build import build_cohort, open_run
from ecgvision.runs.reevaluate import FOLDER, JUDGES, choose_views, evaluation_id
from ecgvision.shipped import NAME, READER
from ecgvision.systems.base import loader_arguments
from ecgvision.systems.read.system import reader_settings

OUT = Path("runs") / "read" / NAME
"""Where evaluations of the package's reader go: it has no run directory of its own."""


def evaluate_reader(
    run: str | Path, *, layouts: Sequence[str] = (), artefacts: Sequence[str] = (),
    stores: Sequence[str] = (), images: Sequence[str] = (), pages: int | None = None,
    gain: float | None = None, speed: float | None = None, accelerator: str = "auto",
    force: bool = False,
) -> Path:  # fmt: skip
    """Judge a finished reader on pages of records of its test folds.

    Args:
        run: a run directory, or `shipped`.
        layouts, artefacts, stores, pages: instead of the run's own; `pages` at most, spread over
            the folds.
        gain, speed: mm/mV and mm/s of all pages, instead of their papers' own.
        images: folders of `data_prep.render_images`, one for each store, whose pages are taken
            instead of drawn ones; then layouts are all of the first folder, artefacts are what
            pages pass through besides (none), and pages all that there are, unless given.
        force: judge again although it has been done.

    Returns:
        The folder with reading.parquet, metrics.json and report.html.

    Raises:
        ConfigError: if the run is not finished, or no store is named for the package's reader.
        LayoutError, StoreError, DataError: for an unknown layout, or a store or a folder of pages
            that is none.
    """
    shipped = str(run) == NAME
    run = READER if shipped else Path(run)
    config: dict[str, Any] = copy.deepcopy(read_config(run))
    read_metrics(run)  # it has finished
    data = config["data"]
    drawn = choose_views(data, layouts, artefacts, images)
    data["store"] = list(stores) or data["store"]
    if not data["store"]:
        raise ConfigError("the package's reader comes without records", value=NAME,
                          remedy="Name stores of records with --store")  # fmt: skip
    if drawn and (gain is not None or speed is not None):
        raise ConfigError("pages drawn beforehand have a gain and a speed", value=(gain, speed),
                          remedy="Leave --gain and --speed out")  # fmt: skip
    for key, value in (("gain", gain), ("speed", speed)):
        if value is not None:
            data[key] = value
    if not drawn:
        data["test_pages"] = pages = data["test_pages"] if pages is None else pages
    judged = {
        "layouts": data["layouts"], "artefacts": data["artefacts"], "test_pages": pages,
        "images": [folder.hash for folder in drawn], "records": build_cohort(config).hash,
        "weights": weights_hash(run / BEST), "scale": [data["gain"], data["speed"]],
    }  # fmt: skip
    folder = (OUT if shipped else run) / FOLDER / f"read-{evaluation_id(judged)}"
    if (folder / METRICS).is_file() and not force:
        return folder
    opened = open_run(run, config)
    pages_of: EcgDataModule = opened.data
    if drawn:
        pages_of = FolderPages(opened.data.cohort, reader_settings(config), folders=images,
                               pages=pages, **loader_arguments(config))  # fmt: skip
    table, shown = read_split(opened.task, pages_of, "test", rate=float(data["signal_rate"]),
                              accelerator=accelerator)  # fmt: skip
    card = read_reader_card(run / "bundle")
    table = settle(table, tuple(card["calibration"]))
    result = {
        "exp": config["exp"], "version": ecgvision.__version__, "code": source_digest(JUDGES),
        "run_code": read_metrics(run).get("code"),
        "run": NAME if shipped else run.name, "evaluation": judged,
        "layouts": data["layouts"], "artefacts": data["artefacts"],
        "data": {"name": data["name"], "hash": judged["records"],
                 "test": len(pages_of.positions("test"))},
        "reading": {"test": summarise(table, card["least_confidence"])},
    }  # fmt: skip
    write_reading(folder, result, table, config=config, history=None, examples=shown)
    return folder
