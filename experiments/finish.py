"""From the best checkpoint to predictions, figures, report and bundle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgvision.core.atomic_io import write_json
from ecgvision.core.run_folder import METRICS
from ecgvision.data.module import EcgDataModule
from ecgvision.data.paired import PairedDataModule
from ecgvision.deploy.export import READ_TOLERANCE, TOLERANCE, export_bundle
from ecgvision.evaluate import predictions
from ecgvision.evaluate.inference import predict
from ecgvision.evaluate.metrics import operating_points
from ecgvision.evaluate.report.run import write_report
from ecgvision.evaluate.report.summary import describe
from ecgvision.nn.training.task import BaseTask
from ecgvision.systems import get_system
from ecgvision.systems.base import reads_pages
from experiments.run_id import code
from experiments.stages import seen
from experiments.train import LOGS

EXAMPLES = 6


def history(folder: Path) -> pd.DataFrame | None:
    """The logged figures by epoch, over every time the run was taken up."""
    files = sorted((folder / LOGS).glob("version_*/metrics.csv"), key=lambda f: f.stat().st_mtime)
    if not files:
        return None
    logged = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    return logged.groupby("epoch", as_index=False).last().sort_values("epoch")


def examples(table: pd.DataFrame, data: PairedDataModule, stream: str) -> list[dict[str, Any]]:
    """Some test pages, spread over the split."""
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
    """(N, 3, H, W) uint8 test pages on which the exported graph is compared with the student."""
    dataset = data.dataset("test")
    return np.stack([dataset[(0, i)]["image"].numpy() for i in range(min(count, len(dataset)))])


def finish(
    config: Mapping[str, Any],
    task: BaseTask,
    data: EcgDataModule,
    folder: Path,
    *,
    started: float,
) -> dict[str, Any]:
    """Write predictions.parquet, report.html, bundle/ and, as the last, metrics.json.

    Operating points come from the validation rows alone; test is predicted once.
    """
    trainer = config["trainer"]
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
    result = describe(config, data, table, points, code=code())
    result["data"] |= data.about()
    result["seen"] = seen(config, data.cohort, folder)
    shown: list[dict[str, Any]] = []
    student_stream = task.streams[0]
    student = get_system(config["exp"]).student(config, task.model, points[student_stream])
    if student is not None and isinstance(data, PairedDataModule):
        shown = examples(table, data, student_stream)
        export_bundle(
            student, folder / "bundle", scheme=data.cohort.scheme, points=points[student_stream],
            metrics=result["test"][student_stream], check_images=check_pages(data),
            info={"exp": config["exp"], "run": folder.name, "layouts": list(data.layouts),
                  "artefacts": list(data.artefacts)},
            tolerance=READ_TOLERANCE if reads_pages(config) else TOLERANCE,
        )  # fmt: skip
    result["wall_seconds"] = round(time.monotonic() - started, 1)
    write_report(folder / "report.html", config=dict(config), metrics=result, predictions=table,
                 history=history(folder), examples=shown)  # fmt: skip
    write_json(folder / METRICS, result)
    return result
