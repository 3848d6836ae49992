"""Settings that are of the right kind, and still make no sense to any run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecgvision.core.errors import ConfigError, about_setting
from ecgvision.core.processors import usable_cores
from ecgvision.data.folds import check_folds
from ecgvision.labels.schemes import get_scheme
from experiments.check import is_number, setting
from experiments.trainer_arguments import check_arguments

WHOLE = {
    "seed": 0,
    "draws": 1,
    "data.batch_size": 1,
    "data.num_workers": 0,
    "data.records": 1,
    "data.cohort_seed": 0,
    "data.crops": 1,
    "data.pages_per_epoch": 1,
    "data.val_pages": 1,
    "data.test_pages": 1,
    "data.patch_length": 1,
    "data.patch_stride": 1,
    "model.width": 1,
    "model.depth": 1,
    "model.heads": 1,
    "ssl.global_views": 1,
    "ssl.local_views": 0,
    "loss.prototypes": 1,
    "loss.hidden": 1,
    "loss.bottleneck": 1,
    "loss.clt_k": 1,
    "loss.clt_size": 1,
    "trainer.max_epochs": 1,
    "trainer.patience": 0,
}
"""Whole numbers, and the least that each may be; of keys that a system has, and that are a number
in it."""

LARGEST_SEED = 2**32 - 1
"""numpy takes no larger one."""

WORDS = {
    "logger": ("csv", "wandb"),
    "trainer.accelerator": ("auto", "cpu", "gpu", "cuda", "mps", "tpu"),
    "trainer.precision": (
        "auto", "bf16-mixed", "16-mixed", "32-true", "bf16-true", "16-true", "64-true", "bf16",
        "16", "32", "64", "transformer-engine", "transformer-engine-float16",
    ),
}  # fmt: skip
"""Keys that take one of some words; Lightning's, with `auto`."""


def check_values(config: Mapping[str, Any]) -> None:
    """Refuse numbers out of range and unknown words among the keys that all runs share.

    Raises:
        ConfigError: naming the key, its value and what belongs there.
        LabelError: for unknown labels.
        DataError: for a fold in two splits.
    """
    for key, least in WHOLE.items():
        value = setting(config, key)
        if value is None or isinstance(value, (list, tuple)):  # a list of heads is one of names
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigError(f"{key} must be a whole number of {least} or more", value=value)
    if config["seed"] > LARGEST_SEED:
        raise ConfigError(f"seed must be at most {LARGEST_SEED}", value=config["seed"])
    for key, known in WORDS.items():
        if str(setting(config, key)) not in known:
            raise ConfigError(f"{key} must be one of {', '.join(known)}",
                              value=setting(config, key))  # fmt: skip
    _check_trainer(config["trainer"])
    _check_data(config["data"])


def _check_trainer(trainer: Mapping[str, Any]) -> None:
    check_arguments(trainer)
    devices = trainer["devices"]
    if not _are_devices(devices):
        raise ConfigError(
            "trainer.devices must be a whole number of 1 or more, -1 for all, auto, or a list of "
            "their numbers", value=devices,
        )  # fmt: skip
    if trainer["accelerator"] == "cpu" and not re.fullmatch(r"auto|[1-9]\d*", str(devices)):
        raise ConfigError("of trainer.accelerator=cpu, trainer.devices is a number of processes",
                          value=devices, remedy="Set trainer.devices=1")  # fmt: skip
    cores = usable_cores()
    if trainer["accelerator"] == "cpu" and str(devices) != "auto" and int(devices) > max(cores, 2):
        raise ConfigError(
            f"trainer.devices is more processes than there are cores, {cores}", value=devices,
            remedy=f"Set trainer.devices to at most {cores}",
        )  # fmt: skip
    if not 0 <= trainer["ema_decay"] < 1:
        raise ConfigError("trainer.ema_decay must lie in [0, 1)", value=trainer["ema_decay"])
    if not trainer["gradient_clip"] >= 0:
        raise ConfigError("trainer.gradient_clip must not be negative, 0 turns it off",
                          value=trainer["gradient_clip"])  # fmt: skip
    for split in ("train", "val", "test"):
        limit = trainer[f"limit_{split}_batches"]
        most = float("inf") if isinstance(limit, int) else 1
        if not 0 <= limit <= most or (split == "train" and limit == 0):
            raise ConfigError(f"trainer.limit_{split}_batches must be a share of all batches up to "
                              "1.0, or a whole number of them", value=limit)  # fmt: skip


def _are_devices(given: Any) -> bool:
    """Whether Lightning takes it: a number of devices, or which of them."""
    if isinstance(given, list):
        numbers = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in given)
        return bool(given) and numbers and len(set(given)) == len(given)
    if isinstance(given, bool):
        return False
    return re.fullmatch(r"auto|-1|[1-9]\d*|\d+(,\d+)*,|\d+(,\d+)+", str(given)) is not None


def _check_data(data: Mapping[str, Any]) -> None:
    for key in ("seconds", "signal_rate"):
        if not (is_number(data[key]) and 0 < data[key] < float("inf")):
            raise ConfigError(f"data.{key} must be a positive number", value=data[key])
    with about_setting("data.folds"):
        check_folds(data["folds"])
    policy = {} if data["unlabelled"] is None else {"unlabelled": data["unlabelled"]}
    if data["labels"] != "columns":
        with about_setting("data.labels"):
            get_scheme(data["labels"], min_likelihood=data["min_likelihood"], **policy)
