"""Checks of a configuration against the declared settings; imports nothing slow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecgvision.core.errors import ConfigError, about_setting
from ecgvision.core.processors import gpu_may_be_here, usable_cores
from ecgvision.core.settings import Setting, check_settings, declared
from ecgvision.data.folds import check_folds
from ecgvision.labels.schemes import get_scheme
from ecgvision.systems import SYSTEMS, get_system
from experiments.settings import SOURCES, Run, Stage
from experiments.trainer_settings import refuse_arguments_of_the_run


def known_settings(exp: str | None, source: str) -> dict[str, Setting]:
    """Return the settings of all runs, of a data source and of a system, by their full names.

    Args:
        exp: name of the system; none, or one that does not exist, adds nothing.
    """
    out = declared(Run)
    if source in SOURCES:
        out |= {f"data.{key}": found for key, found in declared(SOURCES[source]).items()}
    return out | declared(SYSTEMS[exp].settings) if exp in SYSTEMS else out


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse unknown settings, values that are not allowed, and values that exclude one another.

    Of a system without a name, only what all runs share is checked.

    Raises:
        ConfigError: naming the setting, its value and what is allowed.
        LabelError: for labels that the scheme does not allow.
        DataError: for a fold in two splits.
    """
    if config["exp"]:
        get_system(config["exp"])
    source = config["data"]["name"]
    known = known_settings(config["exp"], source)
    stages = [k for k, v in config.items() if isinstance(v, Mapping) and "checkpoint" in v]
    refuse_arguments_of_the_run(config["trainer"])
    check_settings({k: v for k, v in config.items() if k not in stages}, known)
    _check_trainer(config["trainer"])
    _check_data(config["data"])
    for name in stages:
        _check_stage(config[name], name, known, source)


def _check_stage(
    stage: Mapping[str, Any], name: str, known: Mapping[str, Setting], source: str
) -> None:
    """Check the section of a stage: its own keys, those that the main run's system declares there,
    and those of the system that it names."""
    own = {f"{name}.{key}": found for key, found in declared(Stage).items()}
    own |= {key: found for key, found in known.items() if key.startswith(f"{name}.")}
    exp = stage.get("exp")
    if "exp" in stage:
        own[f"{name}.exp"].check(f"{name}.exp", exp)
    if exp is not None:
        get_system(exp)
        source = (stage.get("data") or {}).get("name", source)
        theirs = known_settings(exp, source).items()
        own = {f"{name}.{key}": found for key, found in theirs} | own
    elif "exp" in stage:  # no such stage: its other keys have no effect
        return
    check_settings(stage, own, prefix=f"{name}.")


def _check_trainer(trainer: Mapping[str, Any]) -> None:
    accelerator, devices = trainer["accelerator"], trainer["devices"]
    if accelerator in ("gpu", "cuda", "mps") and not gpu_may_be_here(accelerator):
        raise ConfigError(f"trainer.accelerator={accelerator} finds no such device here",
                          remedy="Set trainer.accelerator=auto")  # fmt: skip
    if not _are_devices(devices):
        raise ConfigError(
            "trainer.devices must be a whole number of 1 or more, -1 for all, auto, or a list of "
            "their numbers", value=devices,
        )  # fmt: skip
    if accelerator == "cpu" or (accelerator == "auto" and not gpu_may_be_here()):
        _check_processes(devices)
    for split in ("train", "val", "test"):
        limit = trainer[f"limit_{split}_batches"]
        if isinstance(limit, float) and limit > 1:
            raise ConfigError(f"trainer.limit_{split}_batches must be a share of all batches up to "
                              "1.0, or a whole number of them", value=limit)  # fmt: skip


def _check_processes(devices: Any) -> None:
    if not re.fullmatch(r"auto|[1-9]\d*", str(devices)):
        raise ConfigError("on a CPU, trainer.devices is a number of processes",
                          value=devices, remedy="Set trainer.devices=1")  # fmt: skip
    cores = usable_cores()
    if str(devices) != "auto" and int(devices) > max(cores, 2):
        raise ConfigError(
            f"trainer.devices is more processes than there are cores, {cores}", value=devices,
            remedy=f"Set trainer.devices to at most {cores}",
        )  # fmt: skip


def _are_devices(given: Any) -> bool:
    """Whether Lightning takes it: a number of devices, or which of them."""
    if isinstance(given, list):
        return bool(given) and min(given) >= 0 and len(set(given)) == len(given)
    return re.fullmatch(r"auto|-1|[1-9]\d*|\d+(,\d+)*,|\d+(,\d+)+", str(given)) is not None


def _check_data(data: Mapping[str, Any]) -> None:
    with about_setting("data.folds"):
        check_folds(data["folds"])
    policy = {} if data["unlabelled"] is None else {"unlabelled": data["unlabelled"]}
    if data["labels"] != "columns":
        with about_setting("data.labels"):
            get_scheme(data["labels"], min_likelihood=data["min_likelihood"], **policy)
