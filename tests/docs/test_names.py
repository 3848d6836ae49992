"""Settings, files, links and objects that the README and the docs name are there."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ecgvision.systems import SYSTEMS
from experiments.check import known_settings
from experiments.configure import configure
from experiments.settings import SOURCES
from tests.doc_pages import NAMES, PAGES, ROOT, prose, spans

SECTIONS = ("data", "model", "loss", "optimizer", "trainer", "wandb", "ssl", "teacher", "time",
            "spectrogram", "image", "reading", "signals")  # fmt: skip
OPEN = ("loss.distill",)
"""Sections that take any pair of streams."""
KEY = re.compile(rf"\+?((?:{'|'.join(SECTIONS)})(?:\.\w+)+)(?:=.*)?")
FOLDERS = ("ecgvision/", "experiments/", "data_prep/", "tests/", "docs/", "notebooks/")
OBJECT = re.compile(r"(?:ecgvision|experiments|data_prep)(?:\.\w+)+")
ELSEWHERE = {"model.onnx", "signals.npy"}
"""Names of files that look like a key."""


def leaves(section: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in section.items():
        yield prefix + str(key)
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")


@cache
def known() -> frozenset[str]:
    """Every key of every experiment and source, also of those that are absent by default."""
    names = [file.stem for file in (ROOT / "experiments" / "exp").glob("*.yaml")]
    found = {key for name in names for key in leaves(configure([f"+exp={name}"]))}
    pairs = ((exp, source) for exp in SYSTEMS for source in SOURCES)
    return frozenset(found.union(*(known_settings(*pair) for pair in pairs)))


def keys(page: Path) -> list[str]:
    found = [match[1] for span in spans(page) if (match := KEY.fullmatch(span))]
    return [key for key in found if key not in ELSEWHERE]


def exists(key: str) -> bool:
    return key in known() or key.startswith(tuple(f"{section}." for section in OPEN))


def test_keys_are_found():
    assert len({key for page in PAGES for key in keys(page)}) > 40
    assert not exists("data.no_such_key")
    assert not exists("model.official_nothing")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_settings_exist(page):
    assert [key for key in keys(page) if not exists(key)] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_exist(page):
    named = [s for s in spans(page) if s.startswith(FOLDERS) and " " not in s]
    patterns = {name: re.sub(r"<\w+>", "*", name) for name in named}
    assert [name for name, pattern in patterns.items() if not any(ROOT.glob(pattern))] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    for link in (link for link in links if "://" not in link):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), link
        if anchor and target.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", prose(target), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, link


def _anchor(heading: str) -> str:
    """The anchor of a heading, as Markdown's table of contents makes it."""
    plain = re.sub(r"[^\w\s-]", "", heading).strip().lower()
    return re.sub(r"[-\s]+", "-", plain)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_objects_exist(page):
    for name in (span for span in spans(page) if OBJECT.fullmatch(span)):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            module, _, attribute = name.rpartition(".")
            assert hasattr(importlib.import_module(module), attribute), name
