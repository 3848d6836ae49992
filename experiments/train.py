"""Fit a task and leave its best checkpoint in the run directory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    ModelCheckpoint,
    TQDMProgressBar,
    WeightAveraging,
)
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.errors import ConfigError
from ecgvision.core.processors import threads_beside_loaders
from ecgvision.core.run_folder import BEST
from ecgvision.data.module import EcgDataModule
from experiments.trainer_settings import keeps_nothing, lightning_arguments
from experiments.wandb_log import BestSoFar, wandb_logger

LAST = "checkpoints/last.ckpt"
FITTED = "checkpoints/fitted"
"""Stands once training has ended: early stopping would not know of it, and train on."""
LOGS = "logs"

Monitor = tuple[str, str] | None
"""Logged figure that chooses the checkpoint, and `max` or `min`; None takes the last epoch."""


def precision(wanted: str, accelerator: str) -> str:
    """`auto` is bfloat16 autocast on a GPU that computes in it natively, float16 on others; on a
    CPU float32, which small networks take no longer for (our default: measured on one with AMX)."""
    if wanted != "auto":
        return wanted
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return (
            "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
        )
    return "32-true"


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear whole or not at all, whenever the process ends."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        with atomic_file(path) as part:
            torch.save(checkpoint, part)


class WithinEpoch(ModelCheckpoint):
    """Keeps the last checkpoint up to date within an epoch; the epoch's end has one of its own."""

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any,
        batch_idx: int,
    ) -> None:  # fmt: skip
        if batch_idx + 1 < trainer.num_training_batches:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)


class Patience(EarlyStopping):
    """Early stopping that also holds for a run that was killed right after its last epoch."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class RampedEMA(WeightAveraging):
    """Moving average of the weights, whose decay rises with the steps as (1 + n) / (10 + n).

    Without the ramp a decay of 0.999 would keep the random start in the average for thousands of
    steps, more than a short run has. Floating tensors are averaged; counts, indices and masks are
    copied, as their mean has no meaning.
    """

    def __init__(self, decay: float) -> None:
        def average(old: Any, new: Any, steps: Tensor | int) -> None:  # of one type and device
            if not old[0].is_floating_point():
                torch._foreach_copy_(old, new)
                return
            n = float(steps)
            get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(old, new, steps)

        super().__init__(multi_avg_fn=average)


def loggers(
    config: Mapping[str, Any], folder: Path, run_id: str, monitor: Monitor
) -> list[Logger]:  # fmt: skip
    """CSV always, one version for each time the run is taken up, and W&B when asked for."""
    out: list[Logger] = [CSVLogger(folder, name=LOGS)]
    if config["logger"] == "wandb":
        out.append(wandb_logger(config, folder, run_id, monitor))
    return out


def callbacks(config: Mapping[str, Any], folder: Path, monitor: Monitor) -> list[Callback]:
    """Best and last checkpoint, early stopping, averaged weights."""
    trainer = config["trainer"]
    common: dict[str, Any] = {
        "dirpath": folder / Path(BEST).parent,
        "auto_insert_metric_name": False,
        "enable_version_counter": False,
    }
    figure, mode = monitor or (None, "max")  # a mode of its own, as Lightning tells them apart by
    after: dict[str, Any] = {}
    if figure is None or figure.startswith("train/"):  # known only when the epoch has ended
        # training goes on from the last checkpoint; of this one only the weights are read
        after = {"save_on_train_epoch_end": True, "save_weights_only": True}
    out: list[Callback] = [
        ModelCheckpoint(filename=Path(BEST).stem, monitor=figure, mode=mode, **after, **common),
        # one of its own: save_last would follow only the epochs that are best
        ModelCheckpoint(filename=Path(LAST).stem, save_on_train_epoch_end=True, **common),
    ]
    for every in ({"every_n_train_steps": trainer["save_every_steps"]},
                  {"train_time_interval": _minutes(trainer["save_every_minutes"])}):  # fmt: skip
        if any(every.values()):
            out.append(WithinEpoch(filename=Path(LAST).stem, **every, **common))
    if trainer["patience"] and figure is not None and not after:
        out.append(Patience(monitor=figure, mode=mode, patience=trainer["patience"]))
    if trainer["ema_decay"]:
        out.append(RampedEMA(trainer["ema_decay"]))
    if config["logger"] == "wandb" and figure is not None and not after:
        out.append(BestSoFar(figure, mode))
    return out


def _minutes(count: float | None) -> timedelta | None:
    return None if count is None else timedelta(minutes=count)


def make_trainer(
    config: Mapping[str, Any], folder: Path, run_id: str, monitor: Monitor
) -> L.Trainer:
    """The Lightning trainer of the configuration."""
    trainer = config["trainer"]
    judged = monitor is not None and monitor[0].startswith("val/")
    arguments: dict[str, Any] = {
        "num_sanity_val_steps": 0, "log_every_n_steps": 1, "enable_model_summary": False,
        **lightning_arguments(trainer),
        "max_epochs": trainer["max_epochs"],
        "accelerator": trainer["accelerator"],
        "devices": trainer["devices"],
        "precision": precision(trainer["precision"], trainer["accelerator"]),
        "limit_train_batches": trainer["limit_train_batches"],
        "limit_val_batches": trainer["limit_val_batches"] if judged else 0,
        "gradient_clip_val": trainer["gradient_clip"],
    }  # fmt: skip
    kept: dict[str, Any] = {"logger": False, "callbacks": None}
    if arguments.get("barebones"):  # refuses all that could slow it down
        for key in ("num_sanity_val_steps", "log_every_n_steps", "enable_model_summary"):
            arguments.pop(key)
    else:
        bar = [TQDMProgressBar()] if arguments.get("enable_progress_bar", True) else []
        kept = {"logger": loggers(config, folder, run_id, monitor),
                "callbacks": [*bar, *callbacks(config, folder, monitor)]}  # fmt: skip
    try:
        return L.Trainer(
            **arguments,
            use_distributed_sampler=False,  # ours knows rank and world
            default_root_dir=folder,
            **kept,
            plugins=[AtomicCheckpoints()],
        )
    except (MisconfigurationException, ModuleNotFoundError, TypeError, ValueError) as error:
        asked = {key: trainer[key] for key in ("accelerator", "devices")} | lightning_arguments(
            trainer
        )
        raise ConfigError(f"Lightning refuses these settings of trainer: {error}",
                          value=asked) from error  # fmt: skip


def _share_cores(trainer: L.Trainer, data: EcgDataModule) -> None:
    """Leave cores to the loader processes that draw pages, where the network needs them, too."""
    if data.draws_pages and data.num_workers and trainer.strategy.root_device.type == "cpu":
        threads = threads_beside_loaders(trainer.num_devices)
        if threads is not None:
            torch.set_num_threads(threads)


def fit(
    config: Mapping[str, Any], task: L.LightningModule, data: EcgDataModule,
    folder: Path, run_id: str, monitor: Monitor,
) -> L.Trainer:  # fmt: skip
    """Train, taking up an unfinished run at its last checkpoint, unless training has ended before.
    Returns the trainer."""
    trainer = make_trainer(config, folder, run_id, monitor)
    _share_cores(trainer, data)
    last, fitted = folder / LAST, folder / FITTED
    if fitted.is_file():
        return trainer
    try:
        trainer.fit(task, data, ckpt_path=last if last.is_file() else None, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl+C; who calls says how to go on
        if not trainer.interrupted:
            raise
    done = trainer.is_global_zero and not trainer.interrupted
    if done and not keeps_nothing(config["trainer"]):
        fitted.touch()
    return trainer


def history(folder: Path) -> pd.DataFrame | None:
    """The logged figures by epoch, over every time the run was taken up; None without a log."""
    files = sorted((folder / LOGS).glob("version_*/metrics.csv"), key=lambda f: f.stat().st_mtime)
    if not files:
        return None
    logged = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    return logged.groupby("epoch", as_index=False).last().sort_values("epoch")
