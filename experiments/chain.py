"""Runs that need another run first: a student its teacher, a fine-tuning its pretraining.

A stage is a section of the configuration with a key `checkpoint`. Where it also names an `exp` and
its checkpoint is null, it is trained first, as a run of its own that is found again by its id.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecgvision.ecg import ConfigError

REPLACED = ("exp", "model", "loss")
"""Keys that a stage brings whole, as it does further sections of its own; of `data`, `optimizer`
and `trainer` it changes single keys."""

WEIGHTS = ("model.image_checkpoint", "model.reader")
"""Keys beside the stages that name weights a run starts from."""


def stages(config: Mapping[str, Any]) -> list[str]:
    """Names of the sections that are stages."""
    return [k for k, v in config.items() if isinstance(v, Mapping) and "checkpoint" in v]


def stage_config(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration of the run that a stage describes.

    Everything that the stage does not change is as in the main run, but for keys of the main run's
    own system that the stage lists under `without` (as `section.key`, or a section whole).
    """
    stage = config[name]
    apart = stages(config)
    out = {key: copy.deepcopy(value) for key, value in config.items() if key not in apart}
    changed = ("data", "optimizer", "trainer")
    own = [k for k, v in stage.items() if isinstance(v, Mapping) and k not in (*REPLACED, *changed)]
    for key in (*REPLACED, *own):
        out[key] = copy.deepcopy(stage[key])
    for key in changed:
        out[key] |= copy.deepcopy(stage.get(key) or {})
    for path in stage.get("without", ()):
        section, _, key = path.rpartition(".")
        (out[section] if section else out).pop(key, None)
    out["force"] = False
    if "WANDB_SWEEP_ID" in os.environ:  # the agent's one W&B run is the main run's
        out["logger"] = "csv"
    return out


def prepare(config: dict[str, Any]) -> None:
    """Train every stage whose checkpoint is not given; its checkpoint takes the place.

    Every stage with a checkpoint gets its absolute path, and `weights`, their hash.

    Raises:
        ConfigError: if a checkpoint is missing, or the run's own settings make no sense.
    """
    from ecgvision.rundir import BEST, weights_hash
    from ecgvision.systems import get_system
    from ecgvision.systems.page_input import adopt_reader
    from experiments.run import run

    system = get_system(config["exp"])
    system.check(config)
    adopt_reader(config)
    for name in stages(config):
        could = config[name]["checkpoint"] is None and "exp" in config[name]
        if could and system.needs(config, name):
            print(f"First the {name}:", flush=True)
            config[name]["checkpoint"] = str(run(stage_config(config, name)) / BEST)
        if config[name]["checkpoint"] is not None:
            path = _file(f"{name}.checkpoint", config[name]["checkpoint"])
            config[name] |= {"checkpoint": str(path), "weights": weights_hash(path)}


def weights_hashes(config: Mapping[str, Any]) -> list[str]:
    """Stage or key, and hash, of all weights that the run starts from, after `prepare`.

    Raises:
        ConfigError: if a checkpoint is missing.
    """
    from ecgvision.rundir import weights_hash

    out = [f"{name}:{config[name]['weights']}" for name in stages(config)
           if config[name]["checkpoint"] is not None]  # fmt: skip
    for key in WEIGHTS:
        section, _, name = key.partition(".")
        if (given := config[section].get(name)) is not None:
            out.append(f"{key}:{weights_hash(_file(key, given))}")
    return out


def _file(key: str, given: str) -> Path:
    from ecgvision.rundir import checkpoint_file

    path = checkpoint_file(given).resolve()
    if not path.is_file():
        raise ConfigError(f"{key} is no file", file=path,
                          remedy="Give a checkpoint or a run directory")  # fmt: skip
    return path
