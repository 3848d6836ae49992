"""What a run tells Weights and Biases: configuration, the best epoch, test figures, files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger

from ecgvision.core.run_folder import BEST

BEST_FIGURE = "best/"
"""Prefix of the figure that a sweep optimises: the best epoch's so far, not the last one's."""

ROWS = 1000
"""Most rows of test predictions that are logged as a table; our default. All are in the run's own
`predictions.parquet`."""


def wandb_logger(
    config: Mapping[str, Any], folder: Path, run_id: str, monitor: tuple[str, str] | None
) -> WandbLogger:
    """Return the logger of a run; its id is the run's own, so that a resumed run continues it.

    `WANDB_DIR` says where its files go; without it, to the run's folder.
    """
    swept = "WANDB_RUN_ID" in os.environ or "WANDB_SWEEP_ID" in os.environ
    logger = WandbLogger(
        project=config["wandb"]["project"], group=config["wandb"]["group"],
        tags=list(config["wandb"]["tags"]), job_type=config["exp"],
        name=f"{config['exp']}-{run_id}", save_dir=os.environ.get("WANDB_DIR") or folder,
        id=None if swept else run_id,  # an agent has given the run its id already
        resume=None if swept else "allow", config=dict(config),
    )  # fmt: skip
    if monitor is not None:
        _of(logger).define_metric(monitor[0], summary=monitor[1])
    return logger


class BestSoFar(Callback):
    """Logs the best value so far of the figure that chooses the checkpoint, after each epoch."""

    def __init__(self, figure: str, mode: str) -> None:
        self.figure, self.better = figure, max if mode == "max" else min

    def on_validation_epoch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule
    ) -> None:  # before checkpoints are written
        if trainer.sanity_checking or self.figure not in trainer.callback_metrics:
            return
        value = float(trainer.callback_metrics[self.figure])
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, ModelCheckpoint) and callback.monitor == self.figure:
                before = callback.best_model_score
                value = value if before is None else self.better(value, float(before))
        pl_module.log(BEST_FIGURE + self.figure.partition("/")[2], value)


def finish(logger: WandbLogger, folder: Path, result: Mapping[str, Any]) -> None:
    """Log the test figures, a table of test predictions, checkpoint and bundle, and end the run."""
    import wandb

    run = _of(logger)
    logger.log_metrics({f"test/{stream}_auroc": figures["macro_auroc"]["value"]
                        for stream, figures in result["test"].items()})  # fmt: skip
    table = folder / "predictions.parquet"
    if table.is_file():
        rows = pd.read_parquet(table)
        rows = rows[rows["split"] == "test"].head(ROWS)
        run.log({"test/predictions": wandb.Table(dataframe=rows.reset_index(drop=True))})
    for kind, path in (("model", folder / BEST), ("bundle", folder / "bundle")):
        if not path.exists():
            continue
        artifact = wandb.Artifact(f"{result['exp']}-{folder.name}-{kind}", type=kind)
        artifact.add_dir(str(path)) if path.is_dir() else artifact.add_file(str(path))
        run.log_artifact(artifact, aliases=["best", folder.name])
    logger.finalize("success")
    run.finish()  # else the next run of a -m would write into this one


def _of(logger: WandbLogger) -> Any:
    return logger.experiment
