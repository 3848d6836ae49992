"""The code of every page on how to add something runs, and the places that it names are there."""

from __future__ import annotations

import re
import tempfile

import pytest

from ecgvision.core.layouts import LAYOUTS, get_layout
from ecgvision.labels.schemes import SCHEMES
from ecgvision.nn import encoder_names
from ecgvision.nn.image_encoders import image_encoder
from ecgvision.nn.signal_encoders import SIGNAL_ENCODERS
from ecgvision.render.artefacts import ARTEFACTS
from ecgvision.render.papers.catalogue import PAPERS
from ecgvision.systems import SYSTEMS
from tests.doc_pages import ROOT, blocks

FOLDER = ROOT / "docs" / "extend"
PAGES = sorted(page.stem for page in FOLDER.glob("*.md") if page.stem != "index")
CODE = [
    pytest.param(code, id=f"{name}-{number}")
    for name in PAGES
    for number, code in enumerate(blocks(FOLDER / f"{name}.md", "python"))
]
REGISTRIES = (LAYOUTS, PAPERS, ARTEFACTS, SCHEMES, SIGNAL_ENCODERS, SYSTEMS,
              image_encoder.MADE_HERE)  # fmt: skip
PLACE = re.compile(r"^\| `([^`|]+)` \| `([^`|]+)` \| .+ \|$", re.MULTILINE)


@pytest.fixture
def registries_as_they_were(monkeypatch):
    for registry in REGISTRIES:
        for name, value in registry.items():
            monkeypatch.setitem(registry, name, value)
    monkeypatch.setattr(encoder_names, "SIGNAL_ENCODERS", encoder_names.SIGNAL_ENCODERS)
    monkeypatch.setattr(encoder_names, "OWN", encoder_names.OWN)
    monkeypatch.setattr(image_encoder, "OWN", image_encoder.OWN)
    before = [set(registry) for registry in REGISTRIES]
    yield
    for registry, names in zip(REGISTRIES, before, strict=True):
        for name in set(registry) - names:
            del registry[name]
    get_layout.cache_clear()


def test_every_page_has_code():
    assert PAGES == [
        "artefact",
        "data-source",
        "encoder",
        "label-scheme",
        "layout",
        "paper",
        "system",
    ]
    assert all(blocks(FOLDER / f"{name}.md", "python") for name in PAGES)


@pytest.mark.parametrize("code", CODE)
def test_a_recipe_runs(code, registries_as_they_were, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert "assert " in code
    exec(compile(code, "recipe", "exec", dont_inherit=True), {"__name__": "recipe"})


@pytest.mark.parametrize("name", PAGES)
def test_the_places_it_names_are_there(name):
    places = PLACE.findall((FOLDER / f"{name}.md").read_text(encoding="utf-8"))
    assert places
    for file, where in places:
        assert where in (ROOT / file).read_text(encoding="utf-8"), (file, where)
