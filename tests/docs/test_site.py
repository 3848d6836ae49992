"""The website holds every page, fetches nothing, and its picture is that of the contracts."""

from __future__ import annotations

import importlib.util
import re

import yaml

from tests.doc_pages import PAGES, README, ROOT

DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def listed(nav) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [
        page for part in (nav.values() if isinstance(nav, dict) else nav) for page in listed(part)
    ]


def drawing():
    spec = importlib.util.spec_from_file_location(
        "draw_architecture", DOCS / "draw_architecture.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_listed_once():
    assert sorted(listed(SITE["nav"])) == sorted(
        str(page.relative_to(DOCS)) for page in PAGES if page != README
    )


def test_nothing_is_fetched():
    assert SITE["theme"]["font"] is False
    assert not any(key in SITE for key in ("extra_css", "extra_javascript", "repo_url"))
    plugins = {
        plugin if isinstance(plugin, str) else next(iter(plugin)) for plugin in SITE["plugins"]
    }
    assert plugins == {"search", "mkdocstrings"}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"!\[[^\]]*\]\(\w+://|<script|<iframe|<img", text), page
        assert "```mermaid" not in text, page


def test_warnings_stop_the_build():
    assert SITE["strict"] is True
    assert "mkdocs build --strict" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_room_has_its_reference():
    rooms = [room for room in drawing().layers("ecgvision") if room != "shipped"]  # weights alone
    assert {page.stem for page in (DOCS / "reference").glob("*.md")} == {"index", *rooms}
    for room in rooms:
        text = (DOCS / "reference" / f"{room}.md").read_text(encoding="utf-8")
        assert f"::: ecgvision.{room}\n" in text


def test_the_picture_is_that_of_the_contracts():
    drawn = (DOCS / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == drawing().svg()
