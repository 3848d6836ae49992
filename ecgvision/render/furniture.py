"""What is printed around the traces: calibration pulses, separators, names, scale and header."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..page import Page
from . import kernels
from .styles import Style
from .text import text_coverage

NAME_BELOW_MM = 7.0  # the kit's 0.7 mV under the baseline
STRIP_NAME_BELOW_MM = 8.0
SEPARATOR_MM = (
    6.3  # the kit's 0.63 mV at 200 dpi (its length in mV changes with dpi; ours does not)
)
SCALE_MM = 5.0  # height above the lower edge of the page
HEADER_MM = 5.9  # depth of the first line below the upper edge, 21 of 21.59 mV on the kit's page
HEADER_LEFT_MM, HEADER_COLUMN_MM, HEADER_LINE_MM = 1.25, 75.0, 5.0


@dataclass(frozen=True, eq=False)
class Part:
    """A coverage map and the page pixel of its top left corner; `cell` where it names a lead."""

    coverage: NDArray[np.uint8]
    top: int
    left: int
    cell: int | None = None


@lru_cache(maxsize=64)
def bars(page: Page, style: Style, rate: float) -> tuple[Part, ...]:
    """Calibration pulses and separators.

    The pulse rises and falls over a sample's time, as a recorded one does: 1 mV for 0.2 s.
    """
    found: list[Part] = []
    if style.pulse and page.pulse:
        rows = {cell.row: cell for cell in page.cells}
        found += [_pulse(page, style, page.baseline_mm(c), 1.0 / rate) for c in rows.values()]
    if style.separators:
        found += [
            _separator(page, style, page.start_mm(cell), page.baseline_mm(cell))
            for cell in page.cells
            if not cell.strip and cell.column > 0
        ]
    return tuple(found)


def _pulse(page: Page, style: Style, baseline: float, step: float) -> Part:
    seconds = np.array([0, step, 2 * step, 0.2 + step, 0.2 + 2 * step, 0.2 + 3 * step])
    height = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    scale = page.px_per_mm
    x = (page.left_mm + seconds * page.speed) * scale
    y = page.size[0] - (baseline + height * page.gain) * scale
    half = style.pulse_pt * page.dpi / 144
    left, top = math.floor(x.min() - half - 2), math.floor(y.min() - half - 2)
    cover = np.zeros(
        (math.ceil(y.max() + half + 2) - top, math.ceil(x.max() + half + 2) - left), np.uint8
    )
    kernels.stroke(np.column_stack([x - left, y - top]), half, 0, len(x), cover)
    return Part(cover, top, left)


def _separator(page: Page, style: Style, x_mm: float, baseline: float) -> Part:
    """An upright bar, snapped to the raster as Agg snaps straight paths, with projecting ends."""
    width = style.separator_pt * page.dpi / 72
    odd = 0.5 if round(width) % 2 else 0.0
    x, y = page.xy(x_mm, baseline)
    half = SEPARATOR_MM / 2 * page.px_per_mm
    x, low, high = (math.floor(v + 0.5) + odd for v in (x, y - half, y + half))
    across = (x - width / 2, x + width / 2)
    down = (low - width / 2, high + width / 2)
    left, top = math.floor(across[0]), math.floor(down[0])
    cover = np.outer(_share(down, top), _share(across, left))
    return Part((cover * 255).astype(np.uint8), top, left)


def _share(span: tuple[float, float], first: int) -> NDArray[np.float64]:
    """How much of each pixel from `first` on the span covers."""
    edges = np.arange(first, math.ceil(span[1]) + 1)
    return np.diff(np.clip(edges, span[0], span[1]))


@lru_cache(maxsize=64)
def labels(page: Page, style: Style) -> tuple[Part, ...]:
    """The leads' names under their starts, and speed and gain at the foot of the page."""
    found = []
    if style.lead_names:
        for index, cell in enumerate(page.cells):
            below = STRIP_NAME_BELOW_MM if cell.strip else NAME_BELOW_MM
            at = page.xy(page.start_mm(cell), page.baseline_mm(cell) - below)
            found.append(_text(page, style, cell.label, at, index))
    if style.scale_text:
        for text, seconds in ((f"{page.speed:g}mm/s", 2.0), (f"{page.gain:g}mm/mV", 4.0)):
            found.append(_text(page, style, text, page.xy(seconds * 25.0, SCALE_MM)))
    return tuple(found)


def header(page: Page, style: Style, lines: Sequence[str]) -> tuple[Part, ...]:
    """Header lines from the top of the page down; tabs set parts of a line 75 mm apart."""
    found = []
    for i, line in enumerate(lines):
        y_mm = page.paper_mm[0] - HEADER_MM - i * HEADER_LINE_MM
        for k, text in enumerate(line.split("\t")):
            if text.strip():
                at = page.xy(HEADER_LEFT_MM + k * HEADER_COLUMN_MM, y_mm)
                found.append(_text(page, style, text, at))
    return tuple(found)


def _text(
    page: Page, style: Style, text: str, at: tuple[float, float], cell: int | None = None
) -> Part:
    cover, below, right = text_coverage(text, style.font_pt, page.dpi)
    return Part(cover, round(at[1]) + below, round(at[0]) + right, cell)
