"""Runs that need another run first: a student its teacher, a fine-tuning its pretraining.

A stage is a section of the configuration with a key `checkpoint`. Where it also names an `exp` and
its checkpoint is null, it is trained first, as a run of its own that is found again by its id.
"""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Mapping
from typing import Any

from ecgvision.ecg import ConfigError

REPLACED = ("exp", "model", "loss")
"""Keys that a stage brings whole, as it does further sections of its own; of `data`, `optimizer`
and `trainer` it changes single keys."""

WEIGHTS = ("model.image_checkpoint",)
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
    """Train every stage whose checkpoint is not given; its checkpoint takes the place."""
    from ecgvision.rundir import BEST
    from ecgvision.systems import get_system
    from experiments.run import run

    system = get_system(config["exp"])
    for name in stages(config):
        could = config[name]["checkpoint"] is None and "exp" in config[name]
        if could and system.needs(config, name):
            print(f"First the {name}:", flush=True)
            config[name]["checkpoint"] = str(run(stage_config(config, name)) / BEST)


def weights_hashes(config: Mapping[str, Any]) -> list[str]:
    """Stage and sha256 of every checkpoint that the run starts from.

    Raises:
        ConfigError: if one is missing.
    """
    from ecgvision.rundir import checkpoint_file

    out = []
    found = {name: (f"{name}.checkpoint", config[name]["checkpoint"]) for name in stages(config)}
    for key in WEIGHTS:
        section, _, name = key.partition(".")
        found[key] = (key, config[section].get(name))
    for name, (key, given) in found.items():
        if given is None:
            continue
        path = checkpoint_file(given)
        if not path.is_file():
            raise ConfigError(f"{key} is no file", file=path,
                              remedy="Give a checkpoint or a run directory")  # fmt: skip
        out.append(f"{name}:{hashlib.sha256(path.read_bytes()).hexdigest()}")
    return out
