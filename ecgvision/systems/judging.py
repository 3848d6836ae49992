"""Evaluation of a labelled run's best weights: predictions, metrics, report and bundle."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgvision.core.atomic_io import write_json
from ecgvision.core.evenly_spaced import evenly_spaced
from ecgvision.core.run_folder import METRICS
from ecgvision.data.module import EcgDataModule
from ecgvision.data.paired import PairedDataModule
from ecgvision.deploy.export import READ_TOLERANCE, TOLERANCE, export_bundle
from ecgvision.deploy.export_signal import export_signal
from ecgvision.evaluate import predictions
from ecgvision.evaluate.inference import predict
from ecgvision.evaluate.metrics import operating_points
from ecgvision.evaluate.report.model_card import FILE, as_markdown
from ecgvision.evaluate.report.run import write_report
from ecgvision.evaluate.report.summary import describe
from ecgvision.nn.signal_student import SignalStudent
from ecgvision.nn.training.task import BaseTask
from ecgvision.systems.base import Config, System, Training, reads_pages
from ecgvision.systems.model_card import run_card

EXAMPLES = 6
"""Test pages shown in the report."""


def examples(table: pd.DataFrame, data: PairedDataModule, stream: str) -> list[dict[str, Any]]:
    """Return test pages for the report, evenly spaced over the split."""
    dataset = data.dataset("test")
    first = {"layout": data.layouts[0], "artefact": data.artefacts[0]}
    rows = predictions.select(table, split="test", stream=stream, **first)
    chosen = np.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows))).astype(int)
    return [
        {
            "image": dataset.whole_page(int(i)),
            "record_id": rows.loc[i, "record_id"],
            **first,
        }
        for i in chosen
    ]


def check_pages(data: PairedDataModule, count: int = 16) -> NDArray[np.uint8]:
    """Return test pages for comparing the exported graph with the student, (N, 3, H, W) uint8."""
    dataset = data.dataset("test")
    return np.stack([dataset[(0, i)]["image"].numpy() for i in range(min(count, len(dataset)))])


def check_signals(
    data: EcgDataModule, count: int = 16
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return test records and their masks, both (N, 12, T), as the layouts show them."""
    dataset: Any = data.dataset("test")
    chosen = evenly_spaced(count, len(dataset))
    seen = [dataset.printed(dataset.asked((0, int(i)))) for i in chosen]
    signals, masks = (np.stack(part) for part in zip(*seen, strict=True))
    return np.where(masks, signals, np.float32(0)), masks


def judge_labels(
    system: System, config: Config, task: BaseTask, data: EcgDataModule, training: Training
) -> dict[str, Any]:
    """Evaluate a labelled run after training; see `LabelledSystem.judge`."""
    trainer, folder = config["trainer"], training.folder
    table = pd.concat(
        [
            predict(task, data, split, accelerator=trainer["accelerator"],
                    limit=trainer[f"limit_{split}_batches"])
            for split in ("val", "test")
        ],
        ignore_index=True,
    )  # fmt: skip
    points = operating_points.fit_from_table(table)
    table = operating_points.apply(table, points)
    predictions.save(table, folder / "predictions.parquet")
    result = describe(config, data, table, points, code=training.code)
    result["data"] |= data.about()
    result["seen"] = training.seen
    card = run_card(config, result, folder.name)
    shown: list[dict[str, Any]] = []
    stream = task.streams[0]
    student = system.student(config, task.model, points[stream])
    if isinstance(student, SignalStudent):
        export_signal(
            student, folder / "bundle", scheme=data.cohort.scheme, points=points[stream],
            metrics=result["test"][stream], check=check_signals(data),
            info={"exp": config["exp"], "run": folder.name, "layouts": list(data.layouts)},
            documents={FILE: as_markdown(card)},
        )  # fmt: skip
    elif student is not None and isinstance(data, PairedDataModule):
        shown = examples(table, data, stream)
        behind_reader = reads_pages(config)
        export_bundle(
            student, folder / "bundle", scheme=data.cohort.scheme, points=points[stream],
            metrics=result["test"][stream], check_images=check_pages(data),
            info={"exp": config["exp"], "run": folder.name, "layouts": list(data.layouts),
                  "artefacts": list(data.artefacts)},
            tolerance=READ_TOLERANCE if behind_reader else TOLERANCE, batched=not behind_reader,
            documents={FILE: as_markdown(card)},
        )  # fmt: skip
    result["wall_seconds"] = round(time.monotonic() - training.started, 1)
    write_report(folder / "report.html", config=dict(config), metrics=result, predictions=table,
                 history=training.history, examples=shown, card=card)  # fmt: skip
    write_json(folder / METRICS, result)
    return result
