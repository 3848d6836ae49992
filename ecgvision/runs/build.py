"""Data, model and task from a run's configuration, so that any run can be opened again.

A configuration is a plain dict, as `config.yaml` of a run directory holds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ecgvision.core.run_folder import BEST, load_weights, read_config
from ecgvision.data.cohort import Cohort
from ecgvision.data.module import EcgDataModule
from ecgvision.nn.training.task import BaseTask
from ecgvision.systems import get_system
from ecgvision.systems.base import Config


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
        unknown=not get_system(config["exp"]).needs_labels,
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


class Run(NamedTuple):
    """A run opened again: its configuration, data, and the task with the best weights."""

    config: dict[str, Any]
    data: EcgDataModule
    task: BaseTask


def open_run(folder: str | Path, config: dict[str, Any] | None = None) -> Run:
    """Open a trained run from its directory.

    Args:
        config: instead of the run's own, e.g. with other data; the network must stay what it was.

    Raises:
        ConfigError, LabelError, StoreError: if a part is missing or does not fit.
    """
    config = read_config(folder) if config is None else config
    cohort = build_cohort(config)
    data = build_data(config, cohort)
    task = build_task(config, data, pretrained=False)
    load_weights(task, Path(folder) / BEST, label_hash=cohort.scheme.hash)
    return Run(config, data, task.eval())
