"""Rows of traces on a flat page, and the names printed on it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.reader.layout.maps import MARKS, PageMaps

SEEN = 0.5
"""Probability from which a cell counts as part of a row."""

BINS_PER_MM = 4
SMOOTH_MM = 0.75
"""Resolution and width of the histogram of heights, from which rows are taken."""

APART_MM = 7.0
"""Smallest distance between two rows; our default: twelve rows are 12 mm apart or more."""

SHORTEST_MM = 20.0
"""Shortest row that counts; our default: less than a second."""

BREAK_MM = 12.0
"""Gaps up to this width belong to a row."""

LEAST_MARK = 0.25
"""Probability from which a mark counts as seen."""

MARK_APART_MM = 4
"""Smallest distance between two marks of a kind."""

SURE_MARK, TWICE_MM = 0.6, 20.0
"""Probability from which a name is seen surely, and the distance from which two are not one; our
defaults."""


class Row(NamedTuple):
    """A row of traces: its 0 mV line in mm from the top, and from where to where it is printed."""

    y: float
    left: float
    right: float


class Mark(NamedTuple):
    """A name or pulse: what it is, where its middle is in mm, and how likely."""

    kind: str
    x: float
    y: float
    probability: float


def find_rows(maps: PageMaps) -> list[Row]:
    """Return the rows of a page from top to bottom."""
    seen = maps.row > SEEN
    height, width = seen.shape
    j, i = np.nonzero(seen)
    if not len(j):
        return []
    heights = j + 0.5 + maps.offset[j, i]
    counts, edges = np.histogram(heights, bins=height * BINS_PER_MM, range=(0, height),
                                 weights=maps.row[j, i])  # fmt: skip
    profile = cv2.GaussianBlur(counts.astype(np.float32)[None], (0, 0), SMOOTH_MM * BINS_PER_MM)[0]
    rows: list[Row] = []
    while True:
        best = int(profile.argmax())
        y = float(edges[best] + 0.5 / BINS_PER_MM)
        if profile[best] <= 0:
            break
        near = np.abs(edges[:-1] - y) < APART_MM
        profile[near] = 0
        member = np.abs(heights - y) < 2.5
        across = np.zeros(width, bool)
        across[i[member]] = True
        if across.sum() < SHORTEST_MM:
            continue
        left, right = _longest_run(across)
        if right - left < SHORTEST_MM:
            continue
        rows.append(Row(float(np.median(heights[member])), left, right))
    return sorted(rows)


def _longest_run(across: NDArray[np.bool_]) -> tuple[float, float]:
    """Return start and end of the run with the most cells, gaps up to `BREAK_MM` included."""
    at = np.flatnonzero(across)
    cuts = np.flatnonzero(np.diff(at) > BREAK_MM) + 1
    runs = np.split(at, cuts)
    most = max(runs, key=len)
    return float(most[0]), float(most[-1] + 1)


def find_marks(maps: PageMaps) -> list[Mark]:
    """Return the names and pulses of a page, most probable first."""
    found = []
    for kind, probability in zip(MARKS, maps.marks, strict=True):
        left = probability.copy()
        total = cv2.blur(probability, (3, 3), borderType=cv2.BORDER_CONSTANT) * 9
        while True:
            j, i = (int(k) for k in np.unravel_index(int(left.argmax()), left.shape))
            if left[j, i] < LEAST_MARK:
                break
            top, start = max(j - 1, 0), max(i - 1, 0)
            weight = left[top : j + 2, start : i + 2]
            down, across = np.indices(weight.shape) + 0.5
            y, x = (float((weight * (k + at)).sum() / weight.sum())
                    for k, at in ((down, top), (across, start)))  # fmt: skip
            found.append(Mark(kind, x, y, float(min(1.0, max(left[j, i], total[j, i] / 4)))))
            left[max(j - MARK_APART_MM, 0) : j + MARK_APART_MM + 1,
                 max(i - MARK_APART_MM, 0) : i + MARK_APART_MM + 1] = 0  # fmt: skip
    return sorted(found, key=lambda mark: -mark.probability)


def names_twice(marks: Sequence[Mark]) -> int:
    """Return how many leads have their name at two places of the page, seen surely at both.

    Rhythm strips repeat one to three names; two ECGs in one picture repeat most of them.
    """
    count = 0
    for lead in LEADS:
        places = [mark for mark in marks if mark.kind == lead and mark.probability >= SURE_MARK]
        far = (max(abs(a.x - b.x), abs(a.y - b.y)) > TWICE_MM
               for a, b in itertools.combinations(places, 2))  # fmt: skip
        count += any(far)
    return count
