"""The composed configuration as a plain dict, and what its files may compute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf


def _sized(small: Any, full: Any, *, _root_: Any) -> Any:
    """`${sized:SMALL,FULL}` of a configuration file: by what the data is."""
    chosen = small if _root_.data.small else full
    return OmegaConf.create(chosen) if isinstance(chosen, list) else chosen


def _reader_or(key: str, default: Any, *, _root_: Any) -> Any:
    """`${reader_or:KEY,DEFAULT}`: of the reader that an image encoder starts from, where there is
    one; what is no such run is left to who loads it."""
    given = _root_.model.get("image_checkpoint")
    if isinstance(given, str):
        from ecgvision.core.run_folder import CONFIG_FILE, checkpoint_file, read_config

        folder = checkpoint_file(given).parent.parent
        theirs = read_config(folder) if (folder / CONFIG_FILE).is_file() else {}
        if theirs.get("exp") == "read":
            default = OmegaConf.select(OmegaConf.create(theirs), key, default=default)
    return OmegaConf.create(default) if isinstance(default, list) else default


OmegaConf.register_new_resolver("sized", _sized, replace=True)
OmegaConf.register_new_resolver("reader_or", _reader_or, replace=True)


def configure(overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What `python -m experiments.run OVERRIDES…` would run with.

    Example:
        configure(["+exp=vizecg", "seed=1"])
    """
    config = compose_config(overrides)
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]


def compose_config(overrides: Sequence[str], *, folder: str | None = None) -> DictConfig:
    """The composed configuration, with interpolations as they are written.

    Args:
        folder: a further folder of configuration files, as of `--config-dir`.
    """
    words = list(overrides)
    if folder is not None:
        words.insert(0, f"hydra.searchpath=[file://{Path(folder).resolve()}]")
    with initialize_config_module("experiments", version_base="1.3"):
        return compose("config", overrides=words)
