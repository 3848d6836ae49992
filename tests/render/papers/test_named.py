from __future__ import annotations

import pytest

from ecgvision.core.errors import ConfigError
from ecgvision.render.papers.named import GRID_COLOURS, get_style, grid_colours, parse_colour


def test_colours_are_read() -> None:
    assert parse_colour("#0a80FF") == (10, 128, 255)
    assert grid_colours("5") == GRID_COLOURS["5"]
    assert grid_colours("#000000,#ffffff") == ((0, 0, 0), (255, 255, 255))
    major, minor = grid_colours("#ff0000")
    assert major == (255, 0, 0)
    assert min(minor) > 180


@pytest.mark.parametrize("text", ["red", "#12345", "#1234567", "#12345g", "", "6"])
def test_other_colours_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="#rrggbb"):
        grid_colours(text)


def test_styles_say_what_they_refuse() -> None:
    with pytest.raises(ConfigError, match=r"unknown style.*kit"):
        get_style("fancy")
    with pytest.raises(ConfigError, match="trace_pt"):
        get_style("kit", trace_pt=0.0)
    with pytest.raises(ConfigError, match="0 to 255"):
        get_style("kit", ink=(0, 0, 256))
    with pytest.raises(ConfigError, match="header"):
        get_style("kit", header="none")
