"""Targets of printed marks: lead names, and calibration pulses that show the page's scale."""

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
"""Names of leads, as printed."""

PULSES = tuple((gain, speed) for gain in GAINS for speed in SPEEDS)
"""(mm/mV, mm/s) of the calibration pulses, each 1 mV high and 0.2 s wide."""

NO_MARK = len(NAMES) + len(PULSES)
"""Class index of background; names and pulses have the indices before it."""

MOST = 32
"""Maximum number of marks on a page: one name per cell and one pulse per row."""


def page_marks(
    page: Page, style: Style, warp: Warp
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the positions and classes of the marks of a page.

    The position of a name is its middle. The position of a pulse is the middle of its foot, from
    where both its height and its width are visible. Names not in `NAMES` and scales not in `PULSES`
    are ignored.

    Args:
        warp: from the page to the image.

    Returns:
        (MOST, 2) x, y in pixels of the image, NaN for marks outside it and for unused entries; and
        (MOST,) indices into `NAMES` and then `PULSES`, `NO_MARK` for unused entries.
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
