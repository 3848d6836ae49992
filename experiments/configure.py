"""The composed configuration as a plain dict, for benchmarks, tests and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf


def configure(overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What `python -m experiments.run OVERRIDES…` would run with.

    Example:
        configure(["+exp=vizecg", "seed=1"])
    """
    with initialize_config_module("experiments", version_base="1.3"):
        config = compose("config", overrides=list(overrides))
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
