"""Re-evaluation of a finished reader: with other layouts, artefacts or records."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import BEST, METRICS, read_config, read_metrics
from ecgvision.data.module import EcgDataModule
from ecgvision.deploy.reader_card import read_reader_card
from ecgvision.evaluate.report.summary import run_facts
from ecgvision.nn.checkpoints import weights_hash
from ecgvision.reader.data.folders import FolderPages
from ecgvision.reader.judge.calibrate import add_confidence
from ecgvision.reader.judge.read_split import read_split
from ecgvision.reader.judge.summary import summarise, write_reading
from ecgvision.shipped import NAME, resolve_run
from ecgvision.systems.base import EvaluationOptions, System, loader_arguments
from ecgvision.systems.evaluation import FOLDER, choose_views, evaluation_id
from ecgvision.systems.read.pages import reader_settings

OUT = Path("runs") / "read" / NAME
"""Directory of evaluations of the packaged reader, which has no run directory."""


def evaluate_reader(system: System, run: Path, options: EvaluationOptions, *, code: str) -> Path:
    """Evaluate a reader on pages of records of its test folds, evenly spaced over them.

    Args:
        run: a run directory, or the packaged reader.

    Returns:
        The folder with reading.parquet, metrics.json and report.html.

    Raises:
        ConfigError: if the run is not finished, or no store is named for the packaged reader.
        LayoutError, StoreError, DataError: for an unknown layout, or an invalid store or folder of
            pages.
    """
    shipped = run == resolve_run(NAME)
    gain, speed, images, pages = options.gain, options.speed, options.images, options.pages
    config: dict[str, Any] = copy.deepcopy(read_config(run))
    stored = read_metrics(run)  # refuses an unfinished run
    data = config["data"]
    drawn = choose_views(data, options.layouts, options.artefacts, images)
    data["store"] = list(options.stores) or data["store"]
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
        "images": [folder.hash for folder in drawn], "records": system.cohort(config).hash,
        "weights": weights_hash(run / BEST), "scale": [data["gain"], data["speed"]],
    }  # fmt: skip
    folder = (OUT if shipped else run) / FOLDER / f"read-{evaluation_id(judged, code)}"
    if (folder / METRICS).is_file() and not options.force:
        return folder
    opened = system.open(run, config)
    pages_of: EcgDataModule = opened.data
    if drawn:
        pages_of = FolderPages(opened.data.cohort, reader_settings(config), folders=images,
                               pages=pages, **loader_arguments(config))  # fmt: skip
    table, shown = read_split(opened.task, pages_of, "test", rate=float(data["signal_rate"]),
                              accelerator=options.accelerator)  # fmt: skip
    card = read_reader_card(run / "bundle")
    table = add_confidence(table, tuple(card["calibration"]))
    result = run_facts(config, pages_of, code=code, splits=("test",)) | {
        "run_code": stored.get("code"),
        "run": NAME if shipped else run.name,
        "evaluation": judged,
        "reading": {"test": summarise(table, card["least_confidence"])},
    }
    write_reading(folder, result, table, config=config, history=None, examples=shown)
    return folder
