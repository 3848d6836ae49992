"""What a page says of itself in print: the names of its leads, and pulses that show its scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.page import PULSE_SECONDS, Page
from ecgvision.reader.data.page_variation import GAINS, SPEEDS
from ecgvision.reader.data.places import inside
from ecgvision.render.artefacts import Warp
from ecgvision.render.page_annotations import labels
from ecgvision.render.style import Style

NAMES = (*LEADS, "-aVR")
"""Of leads, as printed."""

PULSES = tuple((gain, speed) for gain in GAINS for speed in SPEEDS)
"""mm/mV and mm/s that a calibration pulse of 1 mV and 0.2 s can show."""

NO_MARK = len(NAMES) + len(PULSES)
"""The answer that there is neither; names and pulses are counted before it."""

MOST = 32
"""Marks of a page: each cell's name and each row's pulse."""


def page_marks(
    page: Page, style: Style, warp: Warp
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Where marks stand, (MOST, 2) x, y in pixels of the picture that the warp leads to, NaN of
    those that it does not show and beyond the last, and which of `NAMES` and `PULSES` they are,
    (MOST,), `NO_MARK` beyond the last.

    A name stands at its middle, a pulse at the middle of its foot, from where its height and its
    width are seen. What no count stands for is no mark.
    """
    spots: list[tuple[float, float]] = []
    kinds: list[int] = []
    for part in labels(page, style):
        if part.cell is None or (name := page.cells[part.cell].label) not in NAMES:
            continue
        height, width = part.coverage.shape
        spots.append((part.left + width / 2, part.top + height / 2))
        kinds.append(NAMES.index(name))
    if style.pulse and page.pulse and (page.gain, page.speed) in PULSES:
        middle = page.left_mm + PULSE_SECONDS / 2 * page.speed
        rows = {cell.row: page.baseline_mm(cell) for cell in page.cells}
        spots += [page.xy(middle, baseline) for baseline in rows.values()]
        kinds += [len(NAMES) + PULSES.index((page.gain, page.speed))] * len(rows)
    points = np.full((MOST, 2), np.nan)
    answers = np.full(MOST, NO_MARK)
    if spots:
        found = np.array(spots)
        points[: len(spots)] = warp(found)
        points[~inside(points, warp.size)] = np.nan
        answers[: len(kinds)] = kinds
    return points, answers
