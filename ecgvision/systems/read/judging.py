"""Evaluation of a reader's best weights on the test folds, with report and bundle."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from ecgvision.core.evenly_spaced import evenly_spaced
from ecgvision.data.module import EcgDataModule
from ecgvision.deploy.export_reader import export_reader
from ecgvision.evaluate.report.summary import run_facts
from ecgvision.nn.training.task import BaseTask
from ecgvision.reader.deployed import DeployedReader
from ecgvision.reader.judge.calibrate import add_confidence, fit_confidence, least_confidence
from ecgvision.reader.judge.read_split import read_split
from ecgvision.reader.judge.summary import summarise, write_reading
from ecgvision.reader.page_reader import PageReader
from ecgvision.systems.base import Config, Training
from ecgvision.systems.pretrained_encoder import READER_BACKBONE

CHECKED = 12
"""Number of validation pages on which the exported graph is compared with the reader."""


def judge_reader(
    config: Config, task: BaseTask, data: EcgDataModule, training: Training
) -> dict[str, Any]:
    """Write reading.parquet, report.html, bundle/ and, last, metrics.json.

    The test folds are read once. Calibration and the threshold for refusal come from validation
    pages.
    """
    network, rate = task.model, float(config["data"]["signal_rate"])
    assert isinstance(network, PageReader)
    trainer, folder = config["trainer"], training.folder
    tables: dict[str, pd.DataFrame] = {}
    shown: list[dict[str, Any]] = []
    for split in ("val", "test"):
        tables[split], shown = read_split(
            task, data, split, rate=rate, accelerator=trainer["accelerator"],
            limit=trainer[f"limit_{split}_batches"],
        )  # fmt: skip
    calibration = fit_confidence(tables["val"])
    tables = {split: add_confidence(table, calibration) for split, table in tables.items()}
    least = least_confidence(tables["val"])
    read = {split: summarise(table, least) for split, table in tables.items()}
    result = run_facts(config, data, code=training.code) | {
        "seen": training.seen,
        "reading": {**read, "prefix": READER_BACKBONE},
        "config": dict(config),
    }
    result["data"]["pages"] = {split: found["all"]["pages"] for split, found in read.items()}
    deployed = DeployedReader(network).to("cpu").eval()
    export_reader(
        deployed, folder / "bundle", rate=rate, check_images=check_pages(data),
        calibration=calibration, least_confidence=least, metrics=read["test"],
        info={"exp": config["exp"], "run": folder.name, "layouts": list(data.layouts),
              "artefacts": list(data.artefacts)},
    )  # fmt: skip
    result["wall_seconds"] = round(time.monotonic() - training.started, 1)
    write_reading(folder, result, tables["test"], config=dict(config), history=training.history,
                  examples=shown)  # fmt: skip
    return result


def check_pages(data: EcgDataModule) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return (N, 3, H, W) uint8 validation pages, evenly spaced over the split."""
    dataset: Any = data.dataset("val")
    chosen = evenly_spaced(CHECKED, len(dataset))
    return np.stack([dataset[(0, int(i))]["image"].numpy() for i in chosen])
