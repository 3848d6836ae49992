"""The digest of a result's code changes with what runs, and with nothing else."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder

import pytest

from ecgvision.core import source_digest as module
from ecgvision.core.source_digest import source_digest

FILES = {
    "__init__.py": "",
    "run.py": '"""Runs."""\nfrom data_prep import steps\n\ndef run():\n    from data_prep.deep import inner\n    return inner.VALUE\n',
    "steps.py": "import numpy\nFACTOR = 2\n",
    "deep/__init__.py": "",
    "deep/inner.py": "VALUE = 1  # one\n",
    "deep/page.html.j2": "<p>{{ value }}</p>",
    "other.py": "UNUSED = 1\n",
    "unused/__init__.py": "",
    "unused/page.html.j2": "<p>{{ value }}</p>",
}  # fmt: skip


@pytest.fixture
def digest_of(tmp_path, monkeypatch):
    """digest_of(changes): of `data_prep.run` in a package of these files with changes."""
    package = tmp_path / "data_prep"
    monkeypatch.setattr(module, "find_spec",
                        lambda name: PathFinder.find_spec(name, [str(tmp_path)]))  # fmt: skip

    def make(changes: dict[str, str] | None = None) -> str:
        for name, text in (FILES | (changes or {})).items():
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_text(text)
        module._find.cache_clear()
        source_digest.cache_clear()
        return source_digest("data_prep.run")

    yield make
    module._find.cache_clear()
    source_digest.cache_clear()


@pytest.mark.parametrize("changes", [
    {"steps.py": "import numpy\nFACTOR = 3\n"},
    {"deep/inner.py": "VALUE = 2\n"},  # imported inside a function
    {"deep/__init__.py": "import os\n"},
    {"deep/page.html.j2": "<b>{{ value }}</b>"},  # a template beside a module
], ids=str)  # fmt: skip
def test_it_changes_with_what_is_run(digest_of, changes):
    assert digest_of() != digest_of(changes)


@pytest.mark.parametrize("changes", [
    {"other.py": "UNUSED = 2\n"},
    {"unused/page.html.j2": "<b>{{ value }}</b>"},
    {"deep/inner.py": '"""One."""\nVALUE = (\n    1\n)\n'},  # comments, docstrings, formatting
], ids=str)  # fmt: skip
def test_it_stays_with_what_is_not(digest_of, changes):
    assert digest_of() == digest_of(changes)


def test_modules_of_others_are_refused():
    with pytest.raises(ModuleNotFoundError, match="numpy"):
        source_digest("numpy")


def test_it_imports_nothing_of_what_it_reads():
    loaded = set(sys.modules)
    source_digest("experiments.run")
    assert set(sys.modules) == loaded


def test_a_run_is_of_its_systems_code_and_no_benchmark(monkeypatch):
    read = []
    real = module._file
    monkeypatch.setattr(module, "_file", lambda name: read.append(name) or real(name))
    source_digest.cache_clear()
    source_digest("experiments.run")
    assert {
        "ecgvision.systems.vizecg.system",
        "ecgvision.systems.vizecg.network",
        "experiments.train",
    } <= set(read)
    assert not any(name.startswith("experiments.bench") for name in read)
