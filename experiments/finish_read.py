"""From the best checkpoint of a reader to its figures on the test folds, report and bundle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import ecgvision
from ecgvision.core.evenly_spaced import spread
from ecgvision.data.module import EcgDataModule
from ecgvision.deploy.export_reader import export_reader
from ecgvision.nn.training.task import BaseTask
from ecgvision.reader.deployed import DeployedReader
from ecgvision.reader.judge.calibrate import fit_confidence, least_confidence, settle
from ecgvision.reader.judge.read_split import read_split
from ecgvision.reader.judge.summary import summarise, write_reading
from ecgvision.reader.page_reader import PageReader
from ecgvision.systems.read.task import BACKBONE
from experiments.finish import history
from experiments.run_id import code
from experiments.stages import seen

CHECKED = 12
"""Validation pages on which the exported graph is compared with the reader."""


def finish_reading(
    config: Mapping[str, Any], task: BaseTask, data: EcgDataModule, folder: Path, *,
    started: float,
) -> dict[str, Any]:  # fmt: skip
    """Write reading.parquet, report.html, bundle/ and, as the last, metrics.json.

    The test folds are read once; what is refused is settled on validation pages.
    """
    network, rate = task.model, float(config["data"]["signal_rate"])
    assert isinstance(network, PageReader)
    trainer = config["trainer"]
    tables: dict[str, pd.DataFrame] = {}
    shown: list[dict[str, Any]] = []
    for split in ("val", "test"):
        tables[split], shown = read_split(
            task, data, split, rate=rate, accelerator=trainer["accelerator"],
            limit=trainer[f"limit_{split}_batches"],
        )  # fmt: skip
    calibration = fit_confidence(tables["val"])
    tables = {split: settle(table, calibration) for split, table in tables.items()}
    least = least_confidence(tables["val"])
    read = {split: summarise(table, least) for split, table in tables.items()}
    cohort = data.cohort
    result: dict[str, Any] = {
        "exp": config["exp"],
        "version": ecgvision.__version__,
        "code": code(),
        "data": {
            "name": config["data"]["name"],
            "hash": cohort.hash,
            **{split: len(data.positions(split)) for split in ("train", "val", "test")},
            "pages": {split: found["all"]["pages"] for split, found in read.items()},
        },
        "seen": seen(config, cohort, folder),
        "labels": list(cohort.scheme.codes),
        "label_hash": cohort.scheme.hash,
        "layouts": list(data.layouts),
        "artefacts": list(data.artefacts),
        "reading": {**read, "prefix": BACKBONE},
        "operating_points": {},
        "test": {},
        "skipped": [],
        "config": dict(config),
    }
    deployed = DeployedReader(network).to("cpu").eval()
    export_reader(
        deployed, folder / "bundle", rate=rate, check_images=check_pages(data),
        calibration=calibration, least_confidence=least, metrics=read["test"],
        info={"exp": config["exp"], "run": folder.name, "layouts": list(data.layouts),
              "artefacts": list(data.artefacts)},
    )  # fmt: skip
    result["wall_seconds"] = round(time.monotonic() - started, 1)
    write_reading(
        folder, result, tables["test"], config=dict(config), history=history(folder), examples=shown
    )
    return result


def check_pages(data: EcgDataModule) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(N, 3, H, W) uint8 validation pages, spread over the split."""
    dataset: Any = data.dataset("val")
    chosen = spread(CHECKED, len(dataset))
    return np.stack([dataset[(0, int(i))]["image"].numpy() for i in chosen])
