"""Builds data, model and task from a run's configuration, and opens trained runs.

A configuration is a plain dict, as in `config.yaml` of a run directory.
"""

from __future__ import annotations

from pathlib import Path

from ecgvision.core.run_folder import read_config
from ecgvision.data.cohort import Cohort
from ecgvision.data.module import EcgDataModule
from ecgvision.nn.training.task import BaseTask
from ecgvision.systems import get_system
from ecgvision.systems.base import Config, Run


def build_cohort(config: Config) -> Cohort:
    """Return the records of `data.store`, labelled and split by the configuration."""
    return get_system(config["exp"]).cohort(config)


def build_data(config: Config, cohort: Cohort) -> EcgDataModule:
    """Return the data module of the configuration's system."""
    return get_system(config["exp"]).data(config, cohort)


def build_task(config: Config, data: EcgDataModule, *, pretrained: bool) -> BaseTask:
    """Return the task of the configuration's system around a new network.

    Args:
        pretrained: whether to load the weights that training starts from; False for a run that is
            re-opened, which has its own weights.
    """
    return get_system(config["exp"]).build_task(config, data, pretrained=pretrained)


def open_run(folder: str | Path, config: Config | None = None) -> Run:
    """Open a trained run of any system from its directory; see `System.open`.

    Raises:
        ConfigError, LabelError, StoreError: if a part is missing or does not fit.
    """
    config = read_config(folder) if config is None else config
    return get_system(config["exp"]).open(folder, config)
