"""Refuses words of the command line that Hydra cannot compose, naming the nearest known key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecgvision.core.errors import ConfigError

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

    try:
        asked = get_args_parser().parse_args(list(words))
        parsed = OverridesParser.create().parse_overrides(asked.overrides)
        single = []
        for override in parsed:
            text = override.input_line or ""
            if asked.multirun and override.is_sweep_override():
                first = next(iter(override.sweep_string_iterator()))
                text = f"{override.get_key_element()}={first}"
            single.append(text)
        compose_config(single, folder=asked.config_dir)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(*_explained(str(error))) from error


def _explained(message: str) -> tuple[str]:
    """Hydra's message on one line; for an unknown setting the nearest known one as well."""
    if (found := _UNKNOWN.search(message)) is None:
        return (" ".join(message.partition("Config search path")[0].split()),)
    from omegaconf import OmegaConf

    from experiments.configure import compose_config

    key = found[1]
    known = list(_leaves(OmegaConf.to_container(compose_config([]), resolve=False)))  # type: ignore[arg-type]
    near = difflib.get_close_matches(key, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return (f"unknown setting {key}.{hint} --help lists all; +{key}=VALUE adds one",)


def _leaves(section: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
