"""Refuses words of the command line that Hydra cannot compose, naming the nearest known key."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecgvision.core.errors import ConfigError, did_you_mean
from experiments.check import leaves

_UNKNOWN = re.compile(r"Could not override '([^']+)'")


def check_overrides(words: Sequence[str]) -> None:
    """Compose the configuration once before Hydra does, and refuse what it would refuse.

    Of a sweep (`-m seed=0,1`) the first value of each setting is composed. Requests for help or
    for the configuration itself are left to Hydra.

    Raises:
        ConfigError: naming the word; for an unknown setting also the nearest known one.
    """
    from hydra._internal.utils import get_args_parser
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from experiments.configure import compose_config

    groups: list[str] = []
    try:
        asked = get_args_parser().parse_args(list(words))
        single = []
        for override in OverridesParser.create().parse_overrides(asked.overrides):
            text = override.input_line or ""
            if asked.multirun and override.is_sweep_override():
                first = next(iter(override.sweep_string_iterator()))
                text = f"{override.get_key_element()}={first}"
            single.append(text)
            if override.key_or_group in ("exp", "data"):
                groups.append(text)
        compose_config(single, folder=asked.config_dir)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_explained(str(error), groups)) from error


def _explained(message: str, groups: Sequence[str]) -> str:
    """Hydra's message on one line; for an unknown setting the nearest known one as well.

    Args:
        groups: the words that choose the system and the data, which decide what is known.
    """
    if (found := _UNKNOWN.search(message)) is None:
        return " ".join(message.partition("Config search path")[0].split())
    from omegaconf import OmegaConf

    from experiments.configure import compose_config

    key, composed = found[1], OmegaConf.to_container(compose_config(groups), resolve=False)
    hint = did_you_mean(key, (path for path, _ in leaves(composed)))  # type: ignore[arg-type]
    return f"unknown setting {key}. {hint} --help lists all; +{key}=VALUE adds one"
