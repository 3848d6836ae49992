"""From the best checkpoint to predictions, figures, report and bundle."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import ecgvision
from ecgvision.build import build_student
from ecgvision.data.paired import PairedDataModule
from ecgvision.deploy.export import export_bundle
from ecgvision.evaluate import metrics, operating_points, predictions
from ecgvision.evaluate.files import whole_file
from ecgvision.evaluate.report import write_report
from ecgvision.tasks.vizecg import VizECGTask
from experiments.train import LOGS

EXAMPLES = 6


def predict(
    config: Mapping[str, Any], task: VizECGTask, data: PairedDataModule, split: str
) -> pd.DataFrame:
    """The predictions table of one split: every record in every layout and artefact of the mix.

    In float32 whatever the training's precision, because that is what is exported.
    """
    trainer = L.Trainer(
        accelerator=config["trainer"]["accelerator"],
        devices=1,
        precision="32-true",
        limit_predict_batches=config["trainer"][f"limit_{split}_batches"],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        inference_mode=True,
    )
    batches = trainer.predict(task, data.loader(split, shared=False))
    whole = {key: torch.cat([b[key] for b in batches]).cpu().numpy() for key in batches[0]}  # type: ignore[index, union-attr]
    row_of = pd.Series(np.arange(len(data.cohort.index)), index=data.cohort.index)
    records = data.cohort.records.iloc[row_of.loc[whole["index"]].to_numpy()]
    layouts = [data.layouts[i] for i in whole["layout"]]
    artefacts = [data.artefacts[i] for i in whole["artefact"]]
    tables = [
        predictions.build(
            records, split=split, stream=stream, layout=layouts, artefact=artefacts,
            logits=whole[stream], targets=whole["target"].astype(np.uint8),
            codes=data.cohort.scheme.codes,
        )
        for stream in task.streams
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


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
    task: VizECGTask,
    data: PairedDataModule,
    folder: Path,
    *,
    started: float,
) -> dict[str, Any]:
    """Write predictions.parquet, report.html, bundle/ and, as the last, metrics.json.

    Operating points come from the validation rows alone; test is predicted once.
    """
    table = pd.concat(
        [predict(config, task, data, split) for split in ("val", "test")], ignore_index=True
    )
    points = operating_points.fit_from_table(table)
    table = operating_points.apply(table, points)
    predictions.save(table, folder / "predictions.parquet")
    cohort = data.cohort
    result = {
        "exp": config["exp"],
        "version": ecgvision.__version__,
        "data": {
            "name": config["data"]["name"], "hash": cohort.hash,
            **{split: len(data.positions(split)) for split in ("train", "val", "test")},
            "dropped_unlabelled": cohort.dropped,
        },
        "labels": list(cohort.scheme.codes),
        "label_hash": cohort.scheme.hash,
        "layouts": list(data.layouts),
        "artefacts": list(data.artefacts),
        "operating_points": {stream: p.to_dict() for stream, p in points.items()},
        **metrics.evaluate(table, points, draws=config["draws"], seed=config["seed"]),
        "without_training_positives": cohort.without_positives("train"),
    }  # fmt: skip
    shown: list[dict[str, Any]] = []
    if "image" in task.streams:
        shown = examples(table, data, "image")
        student = build_student(config, task.model, points["image"])  # type: ignore[arg-type]
        export_bundle(
            student, folder / "bundle", scheme=cohort.scheme, points=points["image"],
            metrics=result["test"]["image"], check_images=check_pages(data),
            info={"exp": config["exp"], "run": folder.name, "layouts": list(data.layouts),
                  "artefacts": list(data.artefacts)},
        )  # fmt: skip
    result["wall_seconds"] = round(time.monotonic() - started, 1)
    write_report(folder / "report.html", config=dict(config), metrics=result, predictions=table,
                 history=history(folder), examples=shown)  # fmt: skip
    with whole_file(folder / "metrics.json") as part:
        part.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return result
