"""Data, model and task from a run's configuration, so that any run can be opened again.

A configuration is a plain dict, as `config.yaml` of a run directory holds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from ecgvision.data.cohort import Cohort
from ecgvision.data.module import EcgDataModule
from ecgvision.ecg import ConfigError, LabelError
from ecgvision.systems import get_system
from ecgvision.systems.base import Config
from ecgvision.tasks.base import BaseTask

CONFIG_FILE = "config.yaml"
BEST = "checkpoints/best.ckpt"


def build_cohort(config: Config) -> Cohort:
    """The stores of `data.store`, labelled and split as the configuration says."""
    data = config["data"]
    paths = data["store"]
    return Cohort(
        [paths] if isinstance(paths, str) else list(paths or []),
        data["labels"],
        folds=data["folds"],
        min_likelihood=data["min_likelihood"],
        unlabelled=data["unlabelled"],
    )


def build_data(config: Config, cohort: Cohort) -> EcgDataModule:
    """The data module of the configuration's system."""
    return get_system(config["exp"]).data(config, cohort)


def build_task(config: Config, data: EcgDataModule, *, pretrained: bool) -> BaseTask:
    """The task of the configuration's system around a new network.

    Args:
        pretrained: whether to fetch the weights that training starts from; a run that is opened
            again has its own.
    """
    task = get_system(config["exp"]).task(config, data, pretrained=pretrained)
    task.label_hash = data.cohort.scheme.hash
    return task


def read_config(folder: str | Path) -> dict[str, Any]:
    """The configuration of a run directory.

    Raises:
        ConfigError: if the folder is no run directory.
    """
    file = Path(folder) / CONFIG_FILE
    if not file.is_file():
        raise ConfigError("not a run directory: there is no configuration", file=file,
                          remedy="Give the folder that experiments.run printed")  # fmt: skip
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def load_weights(task: BaseTask, file: str | Path, *, label_hash: str) -> None:
    """Fill a task from a checkpoint, as containers of tensors only (`weights_only`).

    Raises:
        ConfigError: if there is no checkpoint.
        LabelError: if it was trained for other labels.
    """
    if not Path(file).is_file():
        raise ConfigError("there is no checkpoint", file=file, remedy="Has the run been trained?")
    state = torch.load(file, map_location="cpu", weights_only=True)
    stored = state.get("label_hash")
    if stored != label_hash:
        raise LabelError(
            f"the checkpoint's labels have hash {stored}, the data's {label_hash}", file=file,
            remedy="Use the data.labels it was trained with",
        )  # fmt: skip
    task.load_state_dict(state["state_dict"])


class Run(NamedTuple):
    """A run opened again: its configuration, data, and the task with the best weights."""

    config: dict[str, Any]
    data: EcgDataModule
    task: BaseTask


def open_run(folder: str | Path) -> Run:
    """Open a trained run from its directory.

    Raises:
        ConfigError, LabelError, StoreError: if a part is missing or does not fit.
    """
    config = read_config(folder)
    cohort = build_cohort(config)
    data = build_data(config, cohort)
    task = build_task(config, data, pretrained=False)
    load_weights(task, Path(folder) / BEST, label_hash=cohort.scheme.hash)
    return Run(config, data, task.eval())
