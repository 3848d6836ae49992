"""Drawn pages with more variety of paper, print and layout than any one device has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import LayoutError
from ecgvision.core.layouts import get_layout, pick_layout
from ecgvision.core.page import MM_PER_INCH, Page
from ecgvision.reader.data.signal_variation import SignalVariation
from ecgvision.render.draw import Drawing, draw
from ecgvision.render.papers.named import Paper, random_paper
from ecgvision.render.style import Rgb, Style
from ecgvision.render.text import FACES
from ecgvision.store.packed import Store

LAYOUTS = ("3x4", *["3x4+II"] * 3, "3x4+II+V1", "3x4+V1+II+V5", "6x2", "6x2+II", "12x1", "12x1",
           "3x4:cabrera", "6x2:cabrera", "any", "any")  # fmt: skip
"""Layouts of training pages; our default: as often as they are met, and any arrangement, so that
names are read."""

VARIATION = SignalVariation(amplitude=(0.4, 2.2), recombine=0.3, flip=0.15)
AS_RECORDED = 0.25
"""Variation of records, and the share that is shown as it was recorded."""

DISTURBED, DISTURBANCE_MV, MAINS_HZ = 0.3, 0.05, 50.0
"""Share of records with noise or mains interference, and its largest size."""

ROWS_MM = ((14.0, 42.0), (12.5, 26.0))
MANY_BANDS = 7
"""Distances of rows, on pages with fewer than `MANY_BANDS` of them, and with as many or more."""

FONT_POINTS = (6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 14.0)
TRIES = 100


def draw_flat(
    store: Store, record: int, rng: np.random.Generator, px_per_mm: float
) -> tuple[Drawing, Page, Style]:
    """Draw a record on a random page.

    Args:
        store: signals at any rate.
        record: index in the store.
        px_per_mm: resolution.
    """
    page, style = random_page(rng, px_per_mm)
    length = round(page.layout.seconds * store.rate)
    if rng.random() < AS_RECORDED:
        signal = store.read(record, 0, length)
    else:
        read: Callable[[int, int], NDArray[np.float32]] = partial(store.read, record)
        signal = VARIATION.of(read, store.length(record), length, rng)
    if rng.random() < DISTURBED:
        signal = signal + _disturbance(signal.shape, store.rate, rng)
    drawing = draw(signal, store.rate, page, style, seed=int(rng.integers(2**31)))
    return drawing, page, style


def random_page(rng: np.random.Generator, px_per_mm: float) -> tuple[Page, Style]:
    """Return a page of a random layout, size, gain and speed, and its look."""
    for _ in range(TRIES):
        name = pick_layout(LAYOUTS[int(rng.integers(len(LAYOUTS)))], rng)
        layout = get_layout(name)
        paper, style = random_look(rng, name)
        given: dict[str, Any] = {}
        if rng.random() < 0.6:
            bands = layout.rows + layout.strips
            row = float(rng.uniform(*ROWS_MM[bands >= MANY_BANDS]))
            margins = float(rng.uniform(0, 30)), float(rng.uniform(0, 15))
            size = row * bands + sum(margins), float(rng.uniform(262, 300))
            given = {"margins_mm": margins, "paper_mm": size,
                     "strips_on_top": bool(rng.random() < 0.08)}  # fmt: skip
        if rng.random() < 0.2:
            given["speed"] = 50.0 if rng.random() < 0.5 else 25.0
            given["gain"] = float(rng.choice((5.0, 20.0)))
        try:
            return paper.page(layout, dpi=MM_PER_INCH * px_per_mm, **given), style
        except LayoutError:
            continue
    raise LayoutError("no page takes the layouts", value=LAYOUTS)


def random_look(rng: np.random.Generator, layout: str) -> tuple[Paper, Style]:
    """Return a random paper, and its style or a variation of it."""
    paper = random_paper(rng, layout)
    if rng.random() > 0.7:
        return paper, paper.style
    draws: dict[str, tuple[float, Callable[[], Any]]] = {
        "minor": (0.5, lambda: str(rng.choice(["lines", "lines", "dots", "none", "none"]))),
        "grid_pt": (0.5, lambda: (rng.uniform(0.3, 1.8), rng.uniform(0.2, 0.7))),
        "name_place": (0.5, lambda: str(rng.choice(["below", "above", "above", "left"]))),
        "font": (0.5, lambda: str(rng.choice(list(FACES)))),
        "font_pt": (0.6, lambda: float(rng.choice(FONT_POINTS))),
        "trace_pt": (0.5, lambda: float(rng.uniform(0.5, 1.6))),
        "separators": (0.4, lambda: bool(rng.random() < 0.7)),
        "separator_mm": (0.4, lambda: float(rng.uniform(3, 14))),
        "separator_pt": (0.4, lambda: float(rng.uniform(0.6, 3))),
        "pulse": (0.3, lambda: bool(rng.random() < 0.7)),
        "grid_rgb": (0.5, lambda: _grid_colours(rng)),
        "paper_rgb": (0.3, lambda: _rgb(255 - rng.uniform(0, 70, 3) * rng.random())),
        "grid": (0.3, lambda: bool(rng.random() < 0.8)),
    }
    return paper, replace(paper.style, **{
        name: make() for name, (share, make) in draws.items() if rng.random() < share
    })  # fmt: skip


def _grid_colours(rng: np.random.Generator) -> tuple[Rgb, Rgb]:
    """Return dark colours as of laser prints, greys, or pale ones as of thermal paper."""
    kind = rng.random()
    if kind < 0.2:
        major = rng.uniform(0, (204.0, 127.0, 127.0))
        minor = np.array([major[0], *rng.uniform(0, 127, 2)]) + rng.uniform(0, 51)
    elif kind < 0.4:
        major = np.repeat(rng.uniform(0, 200), 3)
        minor = major + rng.uniform(0, 150)
    else:
        major = np.array([rng.uniform(170, 255), rng.uniform(60, 190), rng.uniform(60, 200)])
        if rng.random() < 0.3:
            major = major[rng.permutation(3)]
        minor = major + (255 - major) * rng.uniform(0.2, 0.9)
    return _rgb(major), _rgb(minor)


def _rgb(values: NDArray[np.floating]) -> Rgb:
    red, green, blue = (int(v) for v in np.clip(values, 0, 255))
    return red, green, blue


def _disturbance(
    shape: tuple[int, ...], rate: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    size = rng.uniform(0, DISTURBANCE_MV)
    if rng.random() < 0.5:
        return (size * rng.normal(size=shape)).astype(np.float32)
    time = np.arange(shape[1]) / rate
    return (size * np.sin(2 * np.pi * MAINS_HZ * time + rng.uniform(0, 6))).astype(np.float32)
