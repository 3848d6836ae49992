"""The composed and checked configuration of a run, as plain containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict

from ecgvision.core.run_folder import CONFIG_FILE, checkpoint_file, read_config
from ecgvision.core.settings import defaults
from ecgvision.systems import SYSTEMS
from ecgvision.systems.base import System
from experiments.check import check_config
from experiments.settings import SOURCES, Run

GROUPS = ("exp", "data", "hydra", "source", "system")
"""First words of names that choose files instead of setting values."""

START = "start"
"""Section with the configuration of the reader that an image encoder starts from; it exists only
while interpolations are resolved."""


def _sized(small: Any, full: Any, *, _root_: Any) -> Any:
    """`${sized:SMALL,FULL}`: by `data.small`."""
    chosen = small if _root_.data.small else full
    return OmegaConf.create(chosen) if isinstance(chosen, list) else chosen


def _packed(small: Any, full: Any, *, _root_: Any) -> Any:
    """`${packed:SMALL,FULL}`: Hz of packed records by `data.small`; own records keep theirs."""
    return None if _root_.data.name == "manifest" else _sized(small, full, _root_=_root_)


OmegaConf.register_new_resolver("sized", _sized, replace=True)
OmegaConf.register_new_resolver("packed", _packed, replace=True)


def register_defaults() -> None:
    """Hand the declared defaults to Hydra, if it does not have them: `settings`, `source` and
    `system`."""
    _register(tuple(SYSTEMS.items()))


@lru_cache(maxsize=1)
def _register(systems: tuple[tuple[str, System], ...]) -> None:
    store = ConfigStore.instance()
    store.store(name="settings", node=defaults(Run))
    for name, source in SOURCES.items():
        store.store(group="source", name=name, node=defaults(source))
    for name, system in systems:
        store.store(group="system", name=name, node={"exp": name, **defaults(system.settings)})


def settable(words: Sequence[str]) -> list[str]:
    """Return the words of a command line so that Hydra sets also what is absent by default.

    Settings that nobody declares are refused once the configuration is composed, with the nearest
    known one. Options such as `--multirun` stay as they are. The word None, which agents of W&B
    write for null, becomes null.
    """
    out = []
    for word in words:
        if not word.startswith("-") and "=" in word:
            found = OverridesParser.create().parse_override(word)
            group = found.key_or_group.partition(".")[0].partition("/")[0] in GROUPS
            below = "." in found.key_or_group and not found.key_or_group.startswith("hydra.")
            if found.type in (OverrideType.CHANGE, OverrideType.ADD) and (below or not group):
                key, _, value = word.lstrip("+").partition("=")
                word = f"++{key}={'null' if value == 'None' else value}"
        out.append(word)
    return out


def configure(overrides: Sequence[str] = (), *, folder: str | None = None) -> dict[str, Any]:
    """Return the configuration that `python -m experiments.run OVERRIDES…` would run with.

    Args:
        folder: a further folder of configuration files, as of `--config-dir`.

    Raises:
        ConfigError: as `resolved`.
        HydraException: for words that Hydra cannot compose.

    Example:
        configure(["+exp=vizecg", "seed=1"])
    """
    register_defaults()
    words = settable(overrides)
    if folder is not None:
        words.insert(0, f"hydra.searchpath=[file://{Path(folder).resolve()}]")
    with initialize_config_module("experiments", version_base="1.3"):
        return resolved(compose("config", overrides=words), words)


def resolved(config: DictConfig, words: Sequence[str]) -> dict[str, Any]:
    """Return a composed configuration as plain containers, checked.

    Args:
        words: that it was composed of. `trainer.max_epochs` among them holds for every stage that
            does not get its own.

    Raises:
        ConfigError: for an unknown setting or a value that is not allowed.
        OmegaConfBaseException: for an interpolation that cannot be resolved.
    """
    config = config.copy()
    given = {word.lstrip("+").partition("=")[0] for word in words}
    with open_dict(config):
        config[START] = _reader_started_from(config)
        if "trainer.max_epochs" in given:
            _set_length_of_stages(config, given)
    out: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    del out[START]
    check_config(out)
    return out


def _reader_started_from(config: DictConfig) -> Mapping[str, Any]:
    """Configuration of the reader at `model.image_checkpoint`; empty where there is none. What else
    may lie there is left to who loads it."""
    given = OmegaConf.select(config, "model.image_checkpoint")
    if not isinstance(given, str):
        return {}
    folder = checkpoint_file(given).parent.parent
    theirs = read_config(folder) if (folder / CONFIG_FILE).is_file() else {}
    if theirs.get("exp") != "read":
        return {}
    return {**theirs, "data": {**theirs["data"], "standard_page": False}}  # it sees whole pages


def _set_length_of_stages(config: DictConfig, given: set[str]) -> None:
    for name in map(str, config):
        key, interpolated = f"{name}.trainer.max_epochs", OmegaConf.is_interpolation
        stage = None if interpolated(config, name) else config[name]
        if (
            isinstance(stage, DictConfig) and "checkpoint" in stage and key not in given
            and "trainer" in stage and not interpolated(stage, "trainer")
        ):  # fmt: skip
            stage.trainer.max_epochs = config.trainer.max_epochs
