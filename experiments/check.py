"""Settings against the kind of value that the configuration's own files give them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ecgvision.core.errors import ConfigError

HERE = Path(__file__).parent
FREE = ("trainer.devices", "trainer.precision")
"""Keys that take numbers and words alike."""
OR_NULL = ("ssl.final_weight_decay",)
"""Keys that have a default, and a meaning for null too."""
_READER_OR = re.compile(r"\$\{reader_or:[^,]*,(.*)\}")
_SIZED = re.compile(r"\$\{sized:(.*)\}")
_BESIDE = re.compile(r"\$\{\.(\w+)\}")


def check_types(config: Mapping[str, Any]) -> None:
    """Refuse a word where a number belongs, and the like.

    Keys whose default is null or of another section are left to who reads them; one that goes by
    the size of the data has the kind of its values. A single word may stand where the default is a
    list of words.

    Raises:
        ConfigError: naming the key, its value and what belongs there.
    """
    files = [HERE / "config.yaml", HERE / "exp" / f"{config['exp']}.yaml"]
    for file in files:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
        for path, default in leaves({k: v for k, v in content.items() if k != "hydra"}):
            value = _value(config, path, default)
            free = path in FREE or (value is None and path in OR_NULL)
            wanted = None if free else _wanted(default, value)
            if wanted is not None:
                raise ConfigError(f"{path} must be {wanted}", value=value)


def _value(config: Mapping[str, Any], path: str, default: Any) -> Any:
    """What stands at a path; the default where it is absent, None where a section of it is none."""
    value: Any = config
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        if key not in value:
            return default
        value = value[key]
    return value


def leaves(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Paths of all settings below a section, such as `optimizer.lr`, with their defaults."""
    for key, value in section.items():
        if key == "defaults":
            continue
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _computed(value, section)


def _computed(default: Any, section: Mapping[str, Any]) -> Any:
    """The default of `${reader_or:KEY,DEFAULT}`, the first value of `${sized:A,B}`, the neighbour
    that `${.key}` is; others as they are."""
    if isinstance(default, str) and (beside := _BESIDE.fullmatch(default)):
        default = section[beside[1]]
    if isinstance(default, str) and (found := _READER_OR.fullmatch(default)):
        default = found[1]
    if isinstance(default, str) and (sized := _SIZED.fullmatch(default)):
        default = yaml.safe_load(f"[{sized[1]}]")[0]
    return default


def setting(config: Mapping[str, Any], path: str) -> Any:
    """What stands at a path such as `data.rate`; None where there is no such key or section."""
    return _value(config, path, None)


def is_number(value: Any) -> bool:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _wanted(default: Any, value: Any) -> str | None:
    """What belongs where the default is; None if the value will do."""
    if default is None or (isinstance(default, str) and default.startswith("${")):
        return None
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, (int, float)):
        return None if is_number(value) else "a number"
    if isinstance(default, Mapping):
        return None if isinstance(value, Mapping) else "a section"
    if isinstance(default, list):
        words = bool(default) and all(isinstance(part, str) for part in default)
        return None if isinstance(value, list) or (words and isinstance(value, str)) else "a list"
    return None if isinstance(value, (str, int, float)) else "a word"
