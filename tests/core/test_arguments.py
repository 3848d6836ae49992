"""Numbers that are none, or absurd, are refused by every option of every command."""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecgvision.core import arguments
from ecgvision.core.processors import usable_cores

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = ["nan", "inf", "-inf", "1e400", "-1", "1e12", "", " ", "x", "0x10", "1,5", "٣x", "1" * 5000, "1\0", "--1"]  # fmt: skip
SIZES = ["nanxnan", "infx10", "10", "10x", "x", "1x2x3", "0x0", "-5x5", "1e9x1e9", "1.5x2", "9" * 5000 + "x1"]  # fmt: skip
TYPES = [name for name, kind in vars(arguments).items() if name.isupper() and callable(kind)]


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("text", NUMBERS)
def test_what_is_no_number_in_range_is_refused(name: str, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        getattr(arguments, name)(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize("name", ["pixel_size", "paper_size"])
@pytest.mark.parametrize("text", SIZES)
def test_what_is_no_size_is_refused(name: str, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        getattr(arguments, name)(text)


def test_sizes_and_jobs() -> None:
    assert arguments.pixel_size("400X1000") == (400, 1000)
    assert arguments.paper_size("210x297.5") == (210.0, 297.5)
    assert arguments.jobs("1") == 1
    assert arguments.jobs("100000") == usable_cores()


def modules() -> Iterator[Path]:
    for package in ("ecgvision", "data_prep", "experiments"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if "render/kit" not in str(file):  # the kit's own flags, checked against its own types
                yield file


def test_no_option_takes_a_bare_number() -> None:
    found = []
    for file in modules():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith(("add_argument", "add")):  # fmt: skip
                continue
            keys = {key.arg: key.value for key in node.keywords}
            bare = "type" in keys and ast.unparse(keys["type"]) in ("int", "float")
            if bare and "choices" not in keys:
                found.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def parsers() -> Iterator[argparse.ArgumentParser]:
    from data_prep import gallery, pack, render_images
    from ecgvision import cli
    from experiments import compare
    from experiments.bench import __main__ as bench

    tops = [gallery.parser(), pack.parser(), render_images.parser(), compare.parser()]
    tops += [cli.parser([word]) for word in ("predict", "digitize", "render", "evaluate", "explain")]  # fmt: skip
    tops += [bench.parser([name]) for name in bench.BENCHES if not bench._lacking(name)]
    for top in tops:
        yield top
        for action in top._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from action.choices.values()


def test_every_numeric_option_of_every_command_refuses_nan() -> None:
    tried = 0
    for parser in parsers():
        for action in parser._actions:
            if action.type is None or not action.option_strings:
                continue
            if getattr(action.type, "__module__", "") != arguments.__name__:
                continue
            for text in ("nan", "1e400", "-7", "nanxnan"):
                with pytest.raises(SystemExit) as caught, contextlib.redirect_stderr(io.StringIO()) as said:  # fmt: skip
                    parser.parse_args([f"{action.option_strings[0]}={text}"])
                assert caught.value.code == 2
                assert action.option_strings[0] in said.getvalue()
                tried += 1
    assert tried > 150
