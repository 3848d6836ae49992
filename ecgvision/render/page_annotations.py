"""Annotations around the traces: calibration pulses, separators, names, scale and header."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.page import Page
from ecgvision.render import kernels
from ecgvision.render.style import Style
from ecgvision.render.text import pieces, text_coverage

NAME_BELOW_MM = 7.0  # the kit's 0.7 mV below the baseline
STRIP_NAME_BELOW_MM = 8.0
NAME_ABOVE_MM = 6.0  # maximum, less in narrow rows (our default: clear of most P waves)
NAME_GAP_MM = 1.0  # between the pulse and a name to its left; also before a name above a trace
NAME_LEVEL_MM = 1.3  # of a name at the left, below the baseline: half a capital's height at 11 pt
PULSE_GAP_MM = 1.5  # between invented text and a pulse: a descender's depth and some space
CAPITAL_MM = 0.26  # height of a capital letter, per point of the font
SCALE_MM = 5.0  # height above the lower edge of the page
SCALE_LEFT_MM, SCALE_COLUMN_MM = 50.0, 50.0  # the kit's 2 s and 2 s
EDGE_MM = 5.0  # from the side of the page to text at that end (our default)
HEADER_MM = 5.9  # first line below the upper edge: at 21 of 21.59 mV on the kit's page


@dataclass(frozen=True, eq=False)
class Part:
    """A coverage map and the page pixel of its top left corner; `cell` if it names a lead."""

    coverage: NDArray[np.uint8]
    top: int
    left: int
    cell: int | None = None


@lru_cache(maxsize=256)
def bars(page: Page, style: Style, rate: float) -> tuple[Part, ...]:
    """Return the calibration pulses and separators.

    A pulse is 1 mV for 0.2 s. It rises and falls within one sample, as a recorded one does.
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
    """Draw a vertical bar with projecting ends, snapped to pixels as Agg snaps straight paths."""
    width = style.separator_pt * page.dpi / 72
    odd = 0.5 if round(width) % 2 else 0.0
    x, y = page.xy(x_mm, baseline)
    half = style.separator_mm / 2 * page.px_per_mm
    x, low, high = (math.floor(v + 0.5) + odd for v in (x, y - half, y + half))
    across = (x - width / 2, x + width / 2)
    down = (low - width / 2, high + width / 2)
    left, top = math.floor(across[0]), math.floor(down[0])
    cover = np.outer(_share(down, top), _share(across, left))
    return Part((cover * 255).astype(np.uint8), top, left)


def _share(span: tuple[float, float], first: int) -> NDArray[np.float64]:
    """Return the share of each pixel, from `first` on, that the span covers."""
    edges = np.arange(first, math.ceil(span[1]) + 1)
    return np.diff(np.clip(edges, span[0], span[1]))


@lru_cache(maxsize=256)
def labels(page: Page, style: Style) -> tuple[Part, ...]:
    """Return the leads' names, and speed and gain."""
    found = _names(page, style) if style.lead_names else []
    if style.scale_text:
        words = style.scale_words.format(speed=page.speed, gain=page.gain)
        found += _scale(page, style, words.split("\t"))
    return tuple(found)


def _names(page: Page, style: Style) -> list[Part]:
    found = []
    room = page.row_mm / 2 - CAPITAL_MM * style.font_pt
    above = max(0.0, min(NAME_ABOVE_MM, room))
    for index, cell in enumerate(page.cells):
        x, y = page.start_mm(cell), page.baseline_mm(cell)
        if style.name_place == "left" and cell.column == 0:
            right = page.left_mm - NAME_GAP_MM
            at = page.xy(right, y - NAME_LEVEL_MM)
            found.append(_text(page, style, cell.label, at, style.font_pt, cell=index, end=True))
            continue
        if style.name_place == "below":
            y -= STRIP_NAME_BELOW_MM if cell.strip else NAME_BELOW_MM
        else:
            x, y = x + NAME_GAP_MM, y + above
        found.append(_text(page, style, cell.label, page.xy(x, y), style.font_pt, cell=index))
    return found


def _scale(page: Page, style: Style, parts: Sequence[str]) -> list[Part]:
    line, wide = "   ".join(parts), page.paper_mm[1]
    if style.scale_place == "foot":
        return [
            _text(page, style, text, page.xy(SCALE_LEFT_MM + i * SCALE_COLUMN_MM, SCALE_MM))
            for i, text in enumerate(parts)
        ]
    if style.scale_place == "left":
        return [_text(page, style, line, page.xy(EDGE_MM, SCALE_MM))]
    y = page.paper_mm[0] - HEADER_MM if style.scale_place == "head" else SCALE_MM
    return [_text(page, style, line, page.xy(wide - EDGE_MM, y), end=True)]


def header(
    page: Page, style: Style, lines: Sequence[str], *, invented: bool = False
) -> tuple[Part, ...]:
    """Return header lines from the top of the page down; tabs separate the parts of a line.

    Invented lines stop where the first row or its pulse begins. Lines that a caller gives are all
    printed.
    """
    found: list[Part] = []
    room = page.head_mm
    if style.pulse and page.pulse:
        room = min(room, page.head_mm + page.row_mm / 2 - page.gain - PULSE_GAP_MM)
    for i, line in enumerate(lines):
        depth = HEADER_MM + i * style.header_line_mm
        if invented and depth > room:
            break
        for k, text in enumerate(line.split("\t")):
            x = style.header_left_mm + k * style.header_column_mm
            at = page.xy(x, page.paper_mm[0] - depth)
            if not text.strip():
                continue
            if not invented:
                found.append(_text(page, style, text, at))
                continue
            for cover, below, right in pieces(text, style.small_pt, page.dpi, style.font):
                found.append(Part(cover, round(at[1]) + below, round(at[0]) + right))
    return tuple(found)


def _text(
    page: Page,
    style: Style,
    text: str,
    at: tuple[float, float],
    points: float | None = None,
    *,
    cell: int | None = None,
    end: bool = False,
) -> Part:
    """Return text whose baseline starts at a pixel, or ends there if `end`, within the page."""
    size = style.small_pt if points is None else points
    cover, below, right = text_coverage(text, size, page.dpi, style.font)
    left = max(0, round(at[0]) - cover.shape[1]) if end else round(at[0]) + right
    return Part(cover, round(at[1]) + below, left, cell)
