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
"""Keys that a stage brings whole; of `data`, `optimizer` and `trainer` it changes single keys."""


def stages(config: Mapping[str, Any]) -> list[str]:
    """Names of the sections that are stages."""
    return [k for k, v in config.items() if isinstance(v, Mapping) and "checkpoint" in v]


def stage_config(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration of the run that a stage describes.

    Everything that the stage does not change is as in the main run, but for keys of the main run's
    own system that the stage lists under `without` (as `section.key`).
    """
    stage = config[name]
    apart = stages(config)
    out = {key: copy.deepcopy(value) for key, value in config.items() if key not in apart}
    for key in REPLACED:
        out[key] = copy.deepcopy(stage[key])
    for key in ("data", "optimizer", "trainer"):
        out[key] |= copy.deepcopy(stage.get(key) or {})
    for path in stage.get("without", ()):
        section, _, key = path.partition(".")
        out[section].pop(key, None)
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
    from experiments.run import run

    get_system(config["exp"]).check(config)
    for name in stages(config):
        if config[name]["checkpoint"] is None and "exp" in config[name]:
            print(f"First the {name}:", flush=True)
            config[name]["checkpoint"] = str(run(stage_config(config, name)) / BEST)
        if config[name]["checkpoint"] is None:
            continue
        path = Path(config[name]["checkpoint"]).expanduser().resolve()
        path = path / BEST if path.is_dir() else path
        if not path.is_file():
            raise ConfigError(f"{name}.checkpoint is no file", file=path,
                              remedy="Give a checkpoint or a run directory")  # fmt: skip
        config[name] |= {"checkpoint": str(path), "weights": weights_hash(path)}


def weights_hashes(config: Mapping[str, Any]) -> list[str]:
    """Stage and hash of the weights that the run starts from, after `prepare`."""
    return [f"{name}:{config[name]['weights']}" for name in stages(config)
            if config[name]["checkpoint"] is not None]  # fmt: skip
