"""The README is short, shows what it says it shows, and claims no figure that the docs do not."""

from __future__ import annotations

import re

from tests.doc_pages import README, ROOT, commands

TEXT = README.read_text(encoding="utf-8")
INTERVAL = re.compile(r"\d+\.\d+(?: dB)? \(\d+\.\d+-\d+\.\d+\)")


def test_it_is_short():
    assert len(TEXT.splitlines()) <= 150


def test_it_begins_with_two_commands():
    assert commands(README)[:2] == ["make demo", "make test"]


def test_it_shows_two_pictures():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)
    assert len(pictures) == 2
    assert all((ROOT / name).is_file() for name in pictures)


def test_its_figures_are_those_of_the_results():
    claimed = INTERVAL.findall(TEXT)
    assert len(claimed) >= 8
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert [figure for figure in claimed if figure not in results] == []


def test_the_results_are_those_of_the_systems():
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    pages = (ROOT / "docs" / "systems").glob("*.md")
    words = " ".join(page.read_text(encoding="utf-8") for page in pages).split()
    measured = " ".join(words).replace(" dB", "")
    figures = [figure.replace(" dB", "") for figure in INTERVAL.findall(results)]
    assert len(figures) > 12
    assert [figure for figure in figures if figure not in measured] == []
