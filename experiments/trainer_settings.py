"""Settings of the section `trainer`: arguments of `lightning.Trainer`, and five of our own.

Declared here, as importing Lightning takes seconds; a test compares them with its signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ecgvision.core.errors import ConfigError
from ecgvision.core.settings import declared, setting, without_defaults

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
PRECISIONS = (
    "auto", "bf16-mixed", "16-mixed", "32-true", "bf16-true", "16-true", "64-true", "bf16",
    "16", "32", "64", "transformer-engine", "transformer-engine-float16",
)  # fmt: skip
"""Lightning's, with `auto`."""


@dataclass(kw_only=True)
class TrainerDefaults:
    """Settings that stand in every configuration."""

    max_epochs: int = setting(
        30, help="epochs; also of stages that are trained first, unless they have their own",
        at_least=1,
    )  # fmt: skip
    accelerator: str = setting("auto", help="device", choices=ACCELERATORS)
    devices: int | str | list[int] = setting(
        1, help="number of devices (-1 or auto: all), or a list; on a CPU, of processes"
    )
    precision: str = setting(
        "auto", help="auto: bfloat16 or float16 on a GPU, float32 on a CPU", choices=PRECISIONS
    )
    limit_train_batches: float = setting(1.0, help="share (1.0: all) or number of batches", above=0)
    limit_val_batches: float = setting(1.0, help="the same of validation", at_least=0)
    limit_test_batches: float = setting(1.0, help="the same of test", at_least=0)
    gradient_clip: float = setting(1.0, help="largest norm of a gradient; 0: any", at_least=0)
    ema_decay: float = setting(0.999, help="of the averaged weights; 0 turns them off",
                               at_least=0, below=1)  # fmt: skip
    patience: int = setting(
        10, help="epochs without a better validation figure before training ends; 0: it never does",
        at_least=0,
    )  # fmt: skip
    save_every_steps: int | None = setting(
        None, help="steps after which a run can be taken up within an epoch", at_least=1
    )
    save_every_minutes: float | None = setting(
        10.0, help="the same in minutes; null: only at the end of each epoch", above=0
    )


@without_defaults
@dataclass(kw_only=True)
class LightningArguments:
    """Arguments that reach the trainer where they are given; else Lightning's default holds."""

    strategy: str = setting(help="how processes train together, e.g. ddp")
    num_nodes: int = setting(help="machines", at_least=1)
    fast_dev_run: bool | int = setting(
        help="a trial of so many batches (true: one); nothing is kept or judged", at_least=0
    )
    min_epochs: int | None = setting(help="epochs before anything may stop early", at_least=0)
    max_steps: int = setting(help="steps of the optimizer; -1: no limit", at_least=-1)
    min_steps: int | None = setting(help="steps before anything may stop early", at_least=0)
    max_time: str | dict[str, int] | None = setting(help="DD:HH:MM:SS after which training ends")
    limit_predict_batches: float | None = setting(help="share or number of batches", at_least=0)
    overfit_batches: float = setting(help="share or number of batches, the same always", at_least=0)
    val_check_interval: float | str | None = setting(help="share of an epoch, or batches, between "
                                                     "validations")  # fmt: skip
    check_val_every_n_epoch: int | None = setting(help="epochs between validations", at_least=1)
    num_sanity_val_steps: int | None = setting(help="validation batches before training",
                                               at_least=-1)  # fmt: skip
    log_every_n_steps: int | None = setting(help="steps between lines of the log", at_least=0)
    enable_progress_bar: bool | None = setting(help="show the progress")
    enable_model_summary: bool | None = setting(help="print the layers")
    accumulate_grad_batches: int = setting(help="batches of one step", at_least=1)
    gradient_clip_algorithm: str | None = setting(help="of trainer.gradient_clip",
                                                  choices=("value", "norm"))  # fmt: skip
    deterministic: bool | str | None = setting(help="deterministic operations; warn: where there "
                                               "are any", choices=("warn",))  # fmt: skip
    benchmark: bool | None = setting(help="let cuDNN choose its algorithms by trial")
    inference_mode: bool = setting(help="evaluate in inference mode instead of without gradients")
    profiler: str | None = setting(help="time of each part",
                                   choices=("simple", "advanced", "pytorch", "xla"))  # fmt: skip
    detect_anomaly: bool = setting(help="look for NaN in gradients")
    barebones: bool = setting(help="bare speed of training; nothing is kept or judged")
    sync_batchnorm: bool = setting(help="batch norm over all processes")
    reload_dataloaders_every_n_epochs: int = setting(help="epochs between new loaders", at_least=0)
    enable_autolog_hparams: bool = setting(help="log the task's arguments")
    model_registry: str | None = setting(help="where Lightning registers models")


@dataclass(kw_only=True)
class Trainer(LightningArguments, TrainerDefaults):
    pass


OWN = ("ema_decay", "patience", "gradient_clip", "save_every_steps", "save_every_minutes")
"""Settings of the section that are no arguments of the trainer."""

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

KEEPING_NOTHING = ("fast_dev_run", "barebones")
"""Arguments with which Lightning writes no checkpoint."""


def lightning_arguments(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the section that reach the trainer as they stand."""
    names = {one.name for one in fields(LightningArguments)}
    return {key: value for key, value in trainer.items() if key in names}


def keeps_nothing(trainer: Mapping[str, Any]) -> str | None:
    """Return the setting for which a training leaves no checkpoint to judge; None without one."""
    return next((f"trainer.{key}" for key in KEEPING_NOTHING if trainer.get(key)), None)


def refuse_arguments_of_the_run(trainer: Mapping[str, Any]) -> None:
    """Refuse arguments of Lightning's trainer that a run gives itself.

    Raises:
        ConfigError: naming the argument, and what to set instead.
    """
    for key in trainer:
        if key in SET_BY_THE_RUN:
            raise ConfigError(f"trainer.{key} is set by the run itself",
                              remedy=SET_BY_THE_RUN[key])  # fmt: skip


def trainer_arguments() -> set[str]:
    """Return the names of all declared arguments of Lightning's trainer."""
    return set(declared(Trainer)) - set(OWN)
