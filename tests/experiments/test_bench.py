"""The dispatcher of the benchmarks: every name leads somewhere, figures come with their machine."""

from __future__ import annotations

import argparse
import importlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import experiments.bench.__main__ as bench
from ecgvision.ecg import ConfigError


def test_the_registry_and_the_modules_agree() -> None:
    folder = Path(bench.__file__).parent
    stems = sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("__"))
    modules = {stem: importlib.import_module(f"experiments.bench.{stem}") for stem in stems}
    benches = {stem for stem, module in modules.items() if hasattr(module, "add_arguments")}
    assert benches == set(bench.BENCHES)
    for name in bench.BENCHES:
        module = modules[name]
        parser = argparse.ArgumentParser()
        parser.add_argument("--json")  # the dispatcher's own: a bench must not name it too
        module.add_arguments(parser)
        assert callable(module.run)


def replace_bench(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    module = SimpleNamespace(
        add_arguments=lambda parser: parser.add_argument("--n", type=int, default=2), run=run
    )
    monkeypatch.setattr(bench.importlib, "import_module", lambda _: module)


def test_figures_are_printed_and_written_with_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_bench(monkeypatch, lambda args: {"a": {"ms": 1.23456 * args.n}, "sizes": [1, 2]})
    file = tmp_path / "deep" / "out.json"
    assert bench.main(["load", "--n", "3", "--json", str(file)]) == 0
    document = json.loads(file.read_text())
    assert document["figures"] == {"a": {"ms": 1.23456 * 3}, "sizes": [1, 2]}
    assert document["bench"] == "load"
    assert 1 <= document["machine"]["cores"] <= (os.cpu_count() or 1)
    assert document["machine"]["versions"]["numpy"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["a.ms", "3.704"]
    assert lines[1].split() == ["sizes", "1,", "2"]
    assert [p.name for p in file.parent.iterdir()] == ["out.json"]


def test_wrong_input_is_one_line_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: object) -> dict[str, Any]:
        raise ConfigError("no such thing", value=7)

    replace_bench(monkeypatch, run)
    assert bench.main(["load", "--json", str(tmp_path / "out.json")]) == 2
    assert capsys.readouterr().err == "error: no such thing (got 7)\n"
    assert list(tmp_path.iterdir()) == []


def test_lists_of_figures_are_numbered() -> None:
    assert bench.flatten({"x": [{"a": 1}, {"a": 2}], "y": 3}) == [
        ("x.0.a", 1),
        ("x.1.a", 2),
        ("y", 3),
    ]
