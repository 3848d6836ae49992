"""Styles and papers by name, and at random.

A name stands for a complete paper. Its style can be used for any page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ecgvision.render.papers.catalogue import PAPERS, get_paper
from ecgvision.render.papers.paper import Paper
from ecgvision.render.style import GRID_COLOURS, Rgb, Style, grid_colours, parse_colour

__all__ = [
    "GRID_COLOURS",
    "MIXED",
    "PAPERS",
    "STYLES",
    "Paper",
    "Rgb",
    "Style",
    "check_style",
    "get_paper",
    "get_style",
    "grid_colours",
    "paper_name",
    "paper_of",
    "parse_colour",
    "random_paper",
    "random_style",
]

MIXED = "mixed"
"""Name that stands for a random paper with every page."""

VARIED = "varied"
"""Name of the kit's page with a random style."""

STYLES: dict[str, Style] = {name: paper.style for name, paper in PAPERS.items()}
"""The style of every paper; `kit` is the default page of ecg-image-kit."""


def get_style(name: str = "kit", **changes: object) -> Style:
    """Return the style of that name with some attributes changed.

    Raises:
        ConfigError: if the name is not in `PAPERS`, or a value is invalid.
    """
    return replace(get_paper(name).style, **changes)  # type: ignore[arg-type]


def random_paper(rng: np.random.Generator, layout: str | None = None) -> Paper:
    """Draw a random paper for training: its `style`, and its `page(layout, dpi=...)`.

    Half of the draws are the kit's page with random colours, widths and annotations (see
    `_varied`). The other half are papers that take the layout (see `Paper.takes`; all if it is
    None), all equally likely.
    """
    if rng.random() < 0.5:
        return replace(PAPERS["kit"], style=_varied(rng))
    usual = [paper for paper in PAPERS.values() if layout is None or paper.takes(layout)]
    if not usual:
        return replace(PAPERS["kit"], style=_varied(rng))
    return usual[int(rng.integers(len(usual)))]


def paper_of(style: str, layout: str, rng: np.random.Generator) -> Paper:
    """Return the paper that a style's name stands for: its own, or a random one for `mixed`.

    Raises:
        ConfigError: if the name is unknown.
    """
    return random_paper(rng, layout) if style == MIXED else get_paper(style)


def paper_name(paper: Paper) -> str:
    """Return the name of a paper, or `varied` if it has none."""
    return next((name for name, known in PAPERS.items() if known is paper), VARIED)


def check_style(style: str, layouts: Iterable[str], **given: Any) -> None:
    """Check that a style exists and that layouts fit on its paper.

    For `mixed`, whose papers are chosen to take the layout, only the kit's paper is checked.

    Raises:
        ConfigError: if the style is unknown.
        LayoutError: if a layout is unknown or does not fit.
    """
    paper = get_paper("kit" if style == MIXED else style)
    for layout in layouts:
        paper.page(layout, **given)


def random_style(rng: np.random.Generator) -> Style:
    """Return the style of a random paper, for use on another page."""
    return random_paper(rng).style


def _varied(rng: np.random.Generator) -> Style:
    """Return a random variation of the kit's style.

    Half of the pages have the kit's random grid colours (major R up to .8, G and B up to .5; the
    minor lighter), the others have its five standard pairs. The rest are our defaults: pages
    without a grid, pulse, names or frame are real but rare, and traces of 0.5 to 1.2 pt cover
    thermal and laser printers.
    """
    pair = GRID_COLOURS[str(rng.integers(1, 6))]
    if rng.random() < 0.5:
        pair = _random_grid(rng)
    grey = int(rng.uniform(0, 0.2) * 255)
    ink: Rgb = (grey, grey, grey)
    if rng.random() < 0.2:  # blue or violet ink of thermal paper
        ink = (int(rng.integers(0, 80)), int(rng.integers(0, 60)), int(rng.integers(60, 140)))
    if rng.random() < 0.1:
        pair, ink = GRID_COLOURS["bw"], (0, 0, 0)
    tint = rng.integers(0, 16, 3) if rng.random() < 0.3 else np.zeros(3, int)
    return Style(
        grid=bool(rng.random() < 0.92),
        grid_rgb=pair,
        paper_rgb=(255 - int(tint[0]), 255 - int(tint[1]), 255 - int(tint[2])),
        frame=bool(rng.random() < 0.7),
        ink=ink,
        trace_pt=float(rng.uniform(0.5, 1.2)),
        pulse=bool(rng.random() < 0.8),
        separators=bool(rng.random() < 0.7),
        lead_names=bool(rng.random() < 0.95),
        scale_text=bool(rng.random() < 0.8),
        header="invented" if rng.random() < 0.4 else "given",
        font_pt=float(rng.choice((9.0, 10.0, 11.0, 12.0))),  # few sizes: text is cached
    )


def _random_grid(rng: np.random.Generator) -> tuple[Rgb, Rgb]:
    major = rng.uniform(0, (0.8, 0.5, 0.5))
    offset = rng.uniform(0, 0.2)
    minor = np.array([major[0], *rng.uniform(0, 0.5, 2)]) + offset
    a, b = (major * 255).astype(int).tolist(), (minor * 255).astype(int).tolist()
    return (a[0], a[1], a[2]), (b[0], b[1], b[2])
