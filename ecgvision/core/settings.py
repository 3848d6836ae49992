"""Declarations of settings: default, type, allowed values and one line of help in one place.

A section of the configuration is a dataclass, a setting one of its fields:

    @dataclass(kw_only=True)
    class Optimizer:
        lr: float = setting(1e-3, help="peak learning rate", above=0)

Hydra composes the defaults of these classes as plain values. OmegaConf's own typed nodes are not
used: they know neither `list | str` nor bounds, and turn 1 into 1.0, which changes ids of runs.
The module imports nothing slow.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ecgvision.core.errors import ConfigError, did_you_mean

ABSENT: Any = object()
"""Default of a setting that stands in no configuration until it is given."""

_KINDS = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a word",
    dict: "a section", NoneType: "null",
}  # fmt: skip

Section = TypeVar("Section", bound=type)
Choices = Sequence[str] | Callable[[], Sequence[str]]


@dataclass(frozen=True)
class Setting:
    """One declared setting.

    Attributes:
        default: plain value, or text with an interpolation; `ABSENT` for none.
        help: one line.
        kinds: types of allowed values: bool, int, float, str, None, dict, `list[X]`,
            `dict[str, X]`.
        words: allowed words, or a function that returns them, for a registry that may grow; empty
            for any.
        at_least, at_most, above, below: bounds of numbers, also of those in a list.
    """

    default: Any
    help: str
    kinds: tuple[Any, ...] = ()
    words: Choices = ()
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None

    def check(self, key: str, value: Any) -> None:
        """Refuse a value of another type, an unknown word or a number out of bounds.

        Args:
            key: full name of the setting, for the message.

        Raises:
            ConfigError: states the key, the value and what is allowed.
        """
        if not any(self._fits(value, kind) for kind in self.kinds):
            near = did_you_mean(value, self.choices) if isinstance(value, str) else ""
            raise ConfigError(f"{key} must be {self.allowed}", value="null" if value is None
                              else value, remedy=near)  # fmt: skip

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed words; empty for any."""
        return tuple(self.words() if callable(self.words) else self.words)

    @property
    def allowed(self) -> str:
        """What the setting takes, as text: `a whole number from 1, or null`."""
        words = [_words(kind) for kind in self.kinds if kind is not NoneType]
        if self.choices:
            words = [word for word in words if not word.startswith("a word")]
            words = [f"one of {', '.join(self.choices)}", *words]
        text = " or ".join(words)
        bounds = [
            f"{name} {bound if isinstance(bound, int) else format(bound, 'g')}"
            for name, bound in (("from", self.at_least), ("above", self.above),
                                ("up to", self.at_most), ("below", self.below))
            if bound is not None
        ]  # fmt: skip
        text = " ".join([text, *bounds])
        return f"{text}, or null" if NoneType in self.kinds else text

    def _fits(self, value: Any, kind: Any) -> bool:
        origin, parts = get_origin(kind), get_args(kind)
        if origin is list:
            return isinstance(value, (list, tuple)) and all(
                any(self._fits(v, k) for k in _members(parts[0])) for v in value
            )
        if origin is dict:
            return isinstance(value, Mapping) and all(
                any(self._fits(v, k) for k in _members(parts[1])) for v in value.values()
            )
        if kind is dict:
            return isinstance(value, Mapping)
        if kind is NoneType:
            return value is None
        if kind is bool:
            return isinstance(value, bool)
        if isinstance(value, bool):
            return False
        if kind is str:  # YAML reads some words as numbers
            return isinstance(value, (str, int, float)) and (
                not self.choices or str(value) in self.choices
            )
        if kind is int:
            return isinstance(value, int) and self._within(value)
        return isinstance(value, (int, float)) and math.isfinite(value) and self._within(value)

    def _within(self, value: float) -> bool:
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


Settings = Mapping[str, Setting]
"""Declared settings by their full name, such as `optimizer.lr`."""


def setting(
    default: Any = ABSENT, *, help: str, choices: Choices = (),
    at_least: float | None = None, at_most: float | None = None, above: float | None = None,
    below: float | None = None,
) -> Any:  # fmt: skip
    """Return the dataclass field of a setting; see `Setting` for the arguments."""
    made = Setting(default, help, words=choices, at_least=at_least, at_most=at_most,
                   above=above, below=below)  # fmt: skip
    return field(default=None, metadata={"setting": made})


def without_defaults(section: Section) -> Section:
    """Make every setting of a section absent until it is given; a class decorator."""
    known = section.__dataclass_fields__  # type: ignore[attr-defined]
    for name, declared_field in known.items():
        known[name] = copy.copy(declared_field)
        made = replace(declared_field.metadata["setting"], default=ABSENT)
        known[name].metadata = {"setting": made}
    return section


def declared(*sections: type) -> dict[str, Setting]:
    """Return the settings of dataclasses and of their sections; those named last win."""
    out: dict[str, Setting] = {}
    for section in sections:
        out |= _declared(section)
    return out


@cache
def _declared(section: type) -> dict[str, Setting]:
    out: dict[str, Setting] = {}
    hints = get_type_hints(section)
    for one in fields(section):
        hint = hints[one.name]
        if is_dataclass(hint):
            inner = _declared(hint).items()  # type: ignore[arg-type]
            out |= {f"{one.name}.{key}": found for key, found in inner}
        else:
            out[one.name] = replace(one.metadata["setting"], kinds=_members(hint))
    return out


def defaults(section: type) -> dict[str, Any]:
    """Return the defaults of a dataclass as nested containers, without absent settings and
    sections that have no others."""
    out: dict[str, Any] = {}
    hints = get_type_hints(section)
    for one in fields(section):
        if is_dataclass(hints[one.name]):
            inner = defaults(hints[one.name])
            if inner or not fields(hints[one.name]):
                out[one.name] = inner
        elif (given := one.metadata["setting"].default) is not ABSENT:
            out[one.name] = copy.deepcopy(given)
    return out


def check_settings(config: Mapping[str, Any], known: Settings, *, prefix: str = "") -> None:
    """Refuse settings that are not declared, or whose value is not allowed.

    Args:
        config: the configuration, or the section of it at `prefix`.
        known: by their full name.
        prefix: `section.`, or nothing for the whole.

    Raises:
        ConfigError: for an unknown setting, with the nearest known one; or as `Setting.check`.
    """
    for name, value in config.items():
        key = f"{prefix}{name}"
        if key in known:
            known[key].check(key, value)
        elif value != {} and not any(other.startswith(f"{key}.") for other in known):
            hint = did_you_mean(key, known)
            raise ConfigError(f"unknown setting {key}", remedy=f"{hint} --help lists all".strip())
        elif not isinstance(value, Mapping):
            raise ConfigError(f"{key} must be a section", value=value)
        else:
            check_settings(value, known, prefix=f"{key}.")


def _members(hint: Any) -> tuple[Any, ...]:
    """The types that a union holds, or the type itself."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _words(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is list:
        inner = " or ".join(_words(k).removeprefix("a ") + "s" for k in _members(parts[0]))
        return f"a list of {inner}"
    if origin is dict:
        return "a section of numbers" if parts[1] in (int, float) else "a section"
    return _KINDS[kind]
