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
from ecgvision.core.errors import ConfigError
from experiments.bench import start


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


def test_all_runs_what_it_can_and_says_what_it_skips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ECG_IMAGE_KIT_HOME", raising=False)
    asked, real = [], bench.subprocess.run

    def run(words: list[str], **options: Any) -> Any:
        if "experiments.bench" not in words:  # what libraries ask as they are imported
            return real(words, **options)
        asked.append(words[3])
        Path(words[-1]).write_text("{}")
        return SimpleNamespace(returncode=2 if words[3] == "load" else 0)

    monkeypatch.setattr(bench.subprocess, "run", run)
    file = tmp_path / "all.json"
    assert bench.main(["all", "--json", str(file)]) == 2  # one has failed, the others were run
    document = json.loads(file.read_text())
    assert asked == list(document["benches"])
    assert set(asked) | set(document["skipped"]) == set(bench.BENCHES)
    assert {"start", "render", "load", "step"} <= set(asked)
    assert document["skipped"]["reader"] == "it needs --store"
    assert "skipped kit: it needs --kit" in capsys.readouterr().out


def test_every_command_is_found() -> None:
    found = start.commands()
    assert {"ecgvision", "ecgvision digitize", "experiments.study", "data_prep.gallery"} <= {*found}
    assert found["experiments.bench load"] == ["experiments.bench", "load"]


def test_what_a_command_takes_is_measured() -> None:
    figures = start.run(SimpleNamespace(rounds=1, only=["challenge.report"]))  # type: ignore[arg-type]
    (name,) = set(figures) - {"python -c pass"}
    assert figures[name]["modules"] > 50
    assert figures[name]["cpu_ratio"] > 0
    assert figures[name]["wall_s"] > 0
