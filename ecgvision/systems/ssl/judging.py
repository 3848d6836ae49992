"""Report and metrics.json of a pretraining run, from its log; there are no labels."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ecgvision.core.atomic_io import write_json
from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import METRICS
from ecgvision.data.module import EcgDataModule
from ecgvision.evaluate.report.summary import run_facts
from ecgvision.nn.training.task import BaseTask
from ecgvision.systems.base import Config, Training
from ecgvision.systems.pretrained_encoder import BACKBONE
from ecgvision.systems.ssl.pretrain_task import PretrainTask
from ecgvision.systems.ssl.report import write_pretrain_report

FIGURES = ("loss", "spread", "used", "unsure", "collapsed")


def epochs(logged: pd.DataFrame) -> list[dict[str, Any]]:
    """Return number, mean loss and collapse statistics of each epoch."""
    columns = {f"train/{name}": name for name in FIGURES if f"train/{name}" in logged}
    return [
        {"epoch": int(row["epoch"])}
        | {name: float(row[c]) for c, name in columns.items() if pd.notna(row[c])}
        for _, row in logged.iterrows()
    ]


def judge_pretraining(
    config: Config, task: BaseTask, data: EcgDataModule, training: Training
) -> dict[str, Any]:
    """Write report.html and, last, metrics.json.

    Raises:
        ConfigError: if the run has logged nothing.
    """
    assert isinstance(task, PretrainTask)
    folder, logged = training.folder, training.history
    if logged is None:
        raise ConfigError("the run has no log to report from", file=folder,
                          remedy="Repeat it with force=true")  # fmt: skip
    spread, used, unsure, _ = (None if v != v else round(v, 4) for v in task.figures.tolist())
    result = run_facts(config, data, code=training.code, splits=("train",)) | {
        "seen": training.seen,
        "pretraining": {
            "method": config["ssl"]["method"],
            "modality": config["model"]["modality"],
            "epochs": epochs(logged),
            "checkpoint": f"by {config['ssl']['choose']}",
            "prefix": BACKBONE,
            "collapse": {
                "verdict": task.verdict, "spread": spread, "used": used, "unsure": unsure,
            },
        },
        "config": dict(config),
        "wall_seconds": round(time.monotonic() - training.started, 1),
    }  # fmt: skip
    result["data"] |= {"val": 0, "test": 0}
    write_pretrain_report(
        folder / "report.html", config=dict(config), metrics=result, history=logged
    )
    write_json(folder / METRICS, result)
    return result


def headline(result: Mapping[str, Any]) -> str:
    """Return a text summary of a pretraining: loss and collapse verdict."""
    found = result["pretraining"]
    first, last = found["epochs"][0], found["epochs"][-1]
    verdict = found["collapse"]["verdict"]
    lines = [
        f"Pretrained: {found['modality']} by {found['method']}, n={result['data']['train']} "
        f"records, loss {first['loss']:.3f} to {last['loss']:.3f} in {last['epoch'] + 1} epochs"
    ]
    if verdict == "healthy":
        lines.append("  the network tells records apart (collapse watch: healthy)")
    else:
        lines.append(
            f"  COLLAPSED ({verdict}): do not fine-tune from it. Lower optimizer.lr, raise "
            "ssl.momentum, or train on more records"
        )
    return "\n".join(lines)
