"""Templates: everything is escaped, nothing is missing, and they are in the package."""

from __future__ import annotations

import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError

import ecgvision
from ecgvision.core.errors import ImageError
from ecgvision.evaluate.report import html

PACKAGE = Path(ecgvision.__file__).parent
TEMPLATES = sorted(PACKAGE.rglob("*.j2"))
NASTY = "<script>\"&'</script>"


@pytest.fixture
def template(tmp_path):
    """A template outside the package, which extends the base and shows `value`."""
    file = tmp_path / "own.html.j2"
    file.write_text('{% extends "base.html.j2" %}{% from "macros.html.j2" import figure %}'
                    "{% block content %}<p id={{ value }}></p>{{ figure(drawn) }}{% endblock %}")  # fmt: skip
    return file


def test_every_value_is_escaped(template):
    drawn = html.svg_figure("<svg/>", NASTY)
    document = html.render(template, title=NASTY, facts=[(NASTY, NASTY)], value=NASTY, drawn=drawn,
                           config={NASTY: NASTY})  # fmt: skip
    assert "<script" not in document
    assert document.count("&lt;script&gt;") == 9  # title twice, fact, value, figure, configuration
    assert document.startswith("<!doctype html>\n")

    class Words(HTMLParser):
        said = ""

        def handle_data(self, data):
            self.said += data

    page = Words()
    page.feed(document)
    assert html.as_json({NASTY: NASTY}) in page.said  # what is shown is what was given


def test_a_value_that_is_missing_is_an_error_and_writes_nothing(template, tmp_path):
    with pytest.raises(UndefinedError, match="drawn"):
        html.write_page(tmp_path / "r.html", template, title="", facts=[], value="")
    assert [p.name for p in tmp_path.iterdir()] == [template.name]


def test_there_is_a_configuration_where_one_is_given(template):
    values = {"title": "", "facts": [], "value": "", "drawn": html.svg_figure("", "")}
    assert "Configuration" not in html.render(template, **values)
    assert "Configuration" in html.render(template, **values, config={})


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_templates_switch_no_escaping_off_and_name_nothing_outside(file):
    text = file.read_text()
    assert not any(word in text for word in ("|safe", "| safe", "autoescape", "http:", "https:"))


def test_templates_are_package_data():
    settings = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["ecgvision"]
    packed = {file for pattern in patterns for file in PACKAGE.glob(pattern)}
    assert len(TEMPLATES) >= 7
    assert set(TEMPLATES) <= packed


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (html.decimals(0.12345), "0.123"),
        (html.decimals(None), ""),
        (html.decimals(0.0123, 1, scale=1000), "12.3"),
        (html.signed(-0.5), "\u22120.500"),
        (html.signed(0.5), "+0.500"),
        (html.thousands(1234567), "1,234,567"),
    ],
)
def test_numbers_are_written_out(said, wanted):
    assert said == wanted


def test_pictures_are_pages():
    for wrong in (np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ImageError, match="uint8"):
            html.picture_uri(wrong)
    noise = np.random.default_rng(0).integers(0, 256, (30, 4000, 3), dtype=np.uint8)
    large, small = (html.picture_uri(noise, width=width) for width in (4000, 400))
    assert large.startswith("data:image/jpeg;base64,")
    assert len(small) < len(large) / 5
