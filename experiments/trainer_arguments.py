"""The arguments of `lightning.Trainer` that the section `trainer` takes; imports nothing slow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecgvision.core.errors import ConfigError, did_you_mean

OURS = ("ema_decay", "patience", "gradient_clip")
"""Settings of the section that are no arguments of the trainer."""

NAMED = (
    "max_epochs", "accelerator", "devices", "precision",
    "limit_train_batches", "limit_val_batches", "limit_test_batches",
)  # fmt: skip
"""Arguments with a default in config.yaml."""

FURTHER = (
    "strategy", "num_nodes", "fast_dev_run", "min_epochs", "max_steps", "min_steps", "max_time",
    "limit_predict_batches", "overfit_batches", "val_check_interval", "check_val_every_n_epoch",
    "num_sanity_val_steps", "log_every_n_steps", "enable_progress_bar", "enable_model_summary",
    "accumulate_grad_batches", "gradient_clip_algorithm", "deterministic", "benchmark",
    "inference_mode", "profiler", "detect_anomaly", "barebones", "sync_batchnorm",
    "reload_dataloaders_every_n_epochs", "enable_autolog_hparams", "model_registry",
)  # fmt: skip
"""Arguments that reach the trainer as they stand, e.g. `+trainer.accumulate_grad_batches=2`."""

SET_BY_THE_RUN = {
    "logger": "Set logger=csv or logger=wandb",
    "callbacks": "Checkpoints, early stopping and averaging follow trainer.patience and ema_decay",
    "plugins": "Checkpoints are written atomically",
    "enable_checkpointing": "A run is judged by its best checkpoint",
    "default_root_dir": "Set run_dir",
    "gradient_clip_val": "Set trainer.gradient_clip",
    "use_distributed_sampler": "The data modules share records among processes themselves",
}
"""Arguments that a run gives itself, and what to do instead."""


def further_arguments(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the section that reach the trainer as they stand."""
    return {key: value for key, value in trainer.items() if key in FURTHER}


def check_arguments(trainer: Mapping[str, Any]) -> None:
    """Refuse keys of the section that are no settings of a run.

    Raises:
        ConfigError: naming the key and the nearest known one, or why it cannot be given.
    """
    known = (*OURS, *NAMED, *FURTHER)
    for key in trainer:
        if key in known:
            continue
        if key in SET_BY_THE_RUN:
            raise ConfigError(f"trainer.{key} is set by the run itself",
                              remedy=SET_BY_THE_RUN[key])  # fmt: skip
        near = did_you_mean(f"trainer.{key}", (f"trainer.{name}" for name in known))
        raise ConfigError("lightning.Trainer has no such argument", value=f"trainer.{key}",
                          remedy=near)  # fmt: skip
