"""Declared settings: their defaults, and what they take."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ecgvision.core.errors import ConfigError
from ecgvision.core.settings import (
    check_settings,
    declared,
    defaults,
    setting,
    without_defaults,
)


@dataclass(kw_only=True)
class Inner:
    rate: float = setting(0.5, help="a share", at_least=0, below=1)
    size: list[int] = setting([2, 3], help="sides", at_least=1)
    weights: dict[str, float] = setting({"a": 1.0}, help="of pairs")
    leads: str | list[str] | None = setting(None, help="names")


@dataclass(kw_only=True)
class Empty:
    pass


@dataclass(kw_only=True)
class Further:
    extra: int = setting(help="only where it is given")


@dataclass(kw_only=True)
class Whole:
    kind: str = setting("a7", help="one of two", choices=("a7", "bernoulli"))
    fast: bool = setting(False, help="or slow")
    steps: int = setting(3, help="a count", at_least=1)
    inner: Inner
    loss: Empty
    further: Further


@without_defaults
@dataclass(kw_only=True)
class Optional(Inner):
    pass


def test_defaults_leave_out_what_is_absent():
    inner = {"rate": 0.5, "size": [2, 3], "weights": {"a": 1.0}, "leads": None}
    assert defaults(Whole) == {"kind": "a7", "fast": False, "steps": 3, "inner": inner, "loss": {}}
    assert defaults(Optional) == {}
    assert defaults(Inner) == inner  # the class itself keeps its own
    assert defaults(Inner)["size"] is not defaults(Inner)["size"]


def test_settings_have_full_names_and_the_last_section_wins():
    assert list(declared(Whole)) == [
        "kind", "fast", "steps", "inner.rate", "inner.size", "inner.weights", "inner.leads",
        "further.extra",
    ]  # fmt: skip
    assert set(declared(Optional)) == set(declared(Inner))

    @dataclass(kw_only=True)
    class Other:
        steps: float = setting(1.5, help="another")

    assert declared(Whole, Other)["steps"].default == 1.5


@pytest.mark.parametrize(
    "config",
    [
        {"kind": "bernoulli", "fast": True, "steps": 1, "loss": {}},
        {"inner": {"rate": 0, "size": [1], "weights": {"x": 2, "y": 0.5}, "leads": "II"}},
        {"inner": {"leads": ["I", "II"]}, "further": {"extra": 0}},
        {"inner": {"leads": None, "weights": {}}},
    ],
)
def test_what_is_allowed_is_taken(config):
    check_settings(config, declared(Whole))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"kind": "bernouli"}, r"kind must be one of a7, bernoulli .*Did you mean bernoulli\?"),
        ({"fast": 1}, r"fast must be true or false \(got 1\)"),
        ({"steps": 1.5}, r"steps must be a whole number from 1 \(got 1\.5\)"),
        ({"steps": True}, r"steps must be a whole number from 1 \(got True\)"),
        ({"steps": None}, r"steps must be a whole number from 1 \(got 'null'\)"),
        ({"inner": {"rate": 1}}, r"inner\.rate must be a number from 0 below 1"),
        ({"inner": {"rate": float("nan")}}, r"inner\.rate"),
        ({"inner": {"size": [0]}}, r"inner\.size must be a list of whole numbers from 1"),
        ({"inner": {"size": 3}}, r"inner\.size"),
        ({"inner": {"weights": 1}}, r"inner\.weights must be a section of numbers"),
        ({"inner": {"weights": {"a": "x"}}}, r"inner\.weights"),
        ({"inner": {"leads": True}}, r"a word or a list of words, or null \(got True\)"),
        ({"inner": 3}, r"inner must be a section"),
        ({"inner": {"rat": 1}}, r"unknown setting inner\.rat\. Did you mean inner\.rate\?"),
        ({"stepz": 1}, r"Did you mean steps\?"),
    ],
)
def test_what_is_not_allowed_is_refused(config, said):
    with pytest.raises(ConfigError, match=said):
        check_settings(config, declared(Whole))


def test_a_section_of_a_configuration_is_checked_under_its_name():
    with pytest.raises(ConfigError, match=r"inner\.rate"):
        check_settings({"rate": "x"}, declared(Whole), prefix="inner.")


def test_bounds_are_written_in_full():
    @dataclass(kw_only=True)
    class Seeded:
        seed: int = setting(0, help="of all draws", at_least=0, at_most=2**32 - 1)

    with pytest.raises(ConfigError, match=r"from 0 up to 4294967295 \(got -1\)"):
        check_settings({"seed": -1}, declared(Seeded))
