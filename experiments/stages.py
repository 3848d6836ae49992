"""Runs that need another run first: a student its teacher, a fine-tuning its pretraining.

A stage is a section of the configuration with a key `checkpoint`. Where it also names an `exp` and
its checkpoint is null, it is trained first, as a run of its own that is found again by its id.
Where it names a key `into`, its checkpoint is written there and the section is gone: the run is the
same as one that is given the checkpoint at that key.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.errors import ConfigError, about_setting
from experiments.check import check_config
from experiments.settings import of_source
from experiments.sources import check_place, place
from experiments.trainer_settings import keeps_nothing

if TYPE_CHECKING:
    from ecgvision.data.cohort import Cohort

REPLACED = ("exp", "model", "loss")
"""Keys that a stage brings whole, as it does further sections of its own; of `data`, `optimizer`
and `trainer` it changes single keys."""

WEIGHTS = ("model.image_checkpoint", "model.reader", "model.weights")
"""Keys beside the stages that name weights a run starts from."""


def stage_names(config: Mapping[str, Any]) -> list[str]:
    """Names of the sections that are stages."""
    return [k for k, v in config.items() if isinstance(v, Mapping) and "checkpoint" in v]


def trainable(config: Mapping[str, Any]) -> list[str]:
    """Names of the stages that say what to train, and have no checkpoint yet."""
    return [name for name in stage_names(config)
            if config[name]["checkpoint"] is None and config[name].get("exp")]  # fmt: skip


def stage_config(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration of the run that a stage describes.

    Everything that the stage does not change is as in the main run, but for keys of the main run's
    own system that the stage lists under `without` (as `section.key`, or a section whole). A stage
    with stores of its own needs no other word on where its data is from.
    """
    stage = config[name]
    apart = stage_names(config)
    out = {key: copy.deepcopy(value) for key, value in config.items() if key not in apart}
    changed = ("data", "optimizer", "trainer")
    own = [k for k, v in stage.items() if isinstance(v, Mapping) and k not in (*REPLACED, *changed)]
    for key in (*REPLACED, *own):
        out[key] = copy.deepcopy(stage[key])
    for key in changed:
        given = copy.deepcopy(dict(stage.get(key) or {}))
        if key == "data" and given.get("store", ...) is None:
            del given["store"]  # null: the main run's own
        elif key == "data" and "store" in given:
            given = {"name": "store"} | given
        out[key] |= given
    source = out["data"]["name"]
    for key in of_source(config["data"]["name"]) - of_source(source):
        out["data"].pop(key, None)
    for key in {"store", "root"} - {place(source)}:
        out["data"][key] = None  # where another source lies, or what the main run packed
    for path in stage.get("without", ()):
        section, _, key = path.rpartition(".")
        (out[section] if section else out).pop(key, None)
    out["force"] = False
    if "WANDB_SWEEP_ID" in os.environ:  # the agent's one W&B run is the main run's
        out["logger"] = "csv"
    return out


def check(config: Mapping[str, Any]) -> None:
    """Refuse what can be seen to be wrong of a run, its stages and what it starts from, before data
    is packed and before anything slow is imported.

    Raises:
        ConfigError, LayoutError, LabelError: naming the setting.
        DataError, StoreError: for data that is not there.
    """
    from ecgvision.systems import get_system
    from ecgvision.systems.page_input.adopt import adopt_reader

    _check_alone(config)
    first = _first(config)
    for name, stage in first.items():
        with about_setting(name):
            _check_alone(stage)
        if trial := keeps_nothing(stage["trainer"]):
            raise ConfigError(f"{trial} keeps no weights of the {name} to go on from",
                              remedy=f"Give {name}.checkpoint, or leave it out")  # fmt: skip
    whole = copy.deepcopy(dict(config))
    for name in stage_names(config):
        path, into = _given(config, name), config[name].get("into")
        if path is not None and into is not None:
            section, _, key = into.partition(".")
            whole[section][key] = str(path)
    for one in (whole, *first.values()):
        predecessors(one)
        get_system(one["exp"]).check_checkpoints(one)
    if all(config[name].get("into") != "model.reader" for name in first):
        adopt_reader(whole)
        get_system(whole["exp"]).check_settings(whole)


def _check_alone(config: Mapping[str, Any]) -> None:
    """A run without its stages."""
    from ecgvision.systems import get_system

    check_config(config)
    get_system(config["exp"]).check_settings(config)
    check_place(config["data"])


def _first(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Configurations of the stages that are trained first."""
    from ecgvision.systems import get_system

    system = get_system(config["exp"])
    return {name: stage_config(config, name) for name in trainable(config)
            if system.needs(config, name)}  # fmt: skip


def _given(config: Mapping[str, Any], name: str) -> Path | None:
    """The checkpoint of a stage, where it has one.

    Raises:
        ConfigError: if it is missing, or also given at the key that it would go to.
    """
    given, into = config[name]["checkpoint"], config[name].get("into")
    path = None if given is None else _file(f"{name}.checkpoint", given)
    section, _, key = (into or "").partition(".")
    if path is not None and into is not None and config[section][key] is not None:
        raise ConfigError(f"{name}.checkpoint and {into} are both given", file=path,
                          value=config[section][key], remedy="Leave one out")  # fmt: skip
    return path


def prepare(config: dict[str, Any], train: Callable[[dict[str, Any]], Path]) -> None:
    """Train every stage whose checkpoint is not given; its checkpoint takes the place.

    Every stage with a checkpoint gets its absolute path, and `weights`, their hash; one with `into`
    leaves its path there. All stages are checked before the first of them is trained.

    Args:
        train: makes a run of a configuration, and returns its directory.

    Raises:
        ConfigError: if a checkpoint is missing, or the settings of the run or of a stage make no
            sense.
    """
    from ecgvision.core.run_folder import BEST
    from ecgvision.nn.checkpoints import weights_hash
    from ecgvision.systems import get_system
    from ecgvision.systems.page_input.adopt import adopt_reader

    get_system(config["exp"]).check(config)
    first = _first(config)
    if not any(config[name].get("into") == "model.reader" for name in stage_names(config)):
        adopt_reader(config)
    for stage in first.values():
        check_config(stage)
        get_system(stage["exp"]).check(stage)
    for name in stage_names(config):
        if name in first:
            print(f"First the {name}:", flush=True)
            config[name]["checkpoint"] = str(train(first[name]) / BEST)
        path, into = _given(config, name), config[name].get("into")
        if into is None:
            if path is not None:
                config[name] |= {"checkpoint": str(path), "weights": weights_hash(path)}
            continue
        section, _, key = into.partition(".")
        if path is not None:
            config[section][key] = str(path)
        del config[name]
        if into == "model.reader":
            adopt_reader(config)


def predecessors(config: Mapping[str, Any]) -> dict[str, Path]:
    """Stage or key, and checkpoint, of all weights that the run starts from, after `prepare`.

    Raises:
        ConfigError: if a checkpoint is missing.
    """
    out = {name: Path(config[name]["checkpoint"]) for name in stage_names(config)
           if config[name]["checkpoint"] is not None}  # fmt: skip
    for key in WEIGHTS:
        section, _, name = key.partition(".")
        if (given := config[section].get(name)) is not None:
            out[key] = _file(key, given)
    return out


def weights_hashes(config: Mapping[str, Any]) -> list[str]:
    """`NAME:HASH` of each of the `predecessors`."""
    from ecgvision.nn.checkpoints import weights_hash

    return [f"{name}:{config.get(name, {}).get('weights') or weights_hash(path)}"
            for name, path in predecessors(config).items()]  # fmt: skip


def seen(config: Mapping[str, Any], cohort: Cohort, folder: Path) -> list[dict[str, Any]]:
    """Write down in the run directory which records the run has seen, and all that it builds on;
    returns what metrics.json says of it. See `ecgvision.systems.leakage`."""
    from ecgvision.systems import get_system
    from ecgvision.systems.leakage import records_seen_by, write_seen_records

    figure, _ = get_system(config["exp"]).monitor(config) or ("", "")
    return write_seen_records(folder, records_seen_by(
        cohort, chosen=figure.startswith("val/"), run=f"{config['exp']}/{folder.name}",
        before=list(predecessors(config).values()),
    ))  # fmt: skip


def _file(key: str, given: str) -> Path:
    from ecgvision.core.run_folder import checkpoint_file

    if not isinstance(given, str):
        raise ConfigError(f"{key} must be a path", value=given)
    path = checkpoint_file(given).resolve()
    if not path.is_file():
        raise ConfigError(f"{key} is no file", file=path,
                          remedy="Give a checkpoint or a run directory")  # fmt: skip
    return path
