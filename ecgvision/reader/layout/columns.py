"""Where columns of leads change on a flat page: from the starts and ends that the network sees.

At a change one lead ends and the next begins, in all rows of a grid at once and at equal distances;
along a rhythm strip nothing changes. Our own design.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.reader.layout.maps import PageMaps
from ecgvision.reader.layout.rows import Row

AROUND_MM = 4
"""Distance from a row's 0 mV line up to which starts and ends belong to it; our default."""

NEAR_MM = 2.0
"""Distance up to which a change that is seen counts for one that is expected; our default."""

LEAST = 0.3
"""Probability from which a change counts as seen."""

STEP_MM = 0.5
LEFT_MM = 25.0
PITCH = (0.55, 1.12)
"""Resolution and range of the search: how far the first column may begin from where the rows seem
to, and the width of a column relative to an equal share of the rows."""

FREE_MM, TIE, MOST_TIE = (4.0, 6.0), 0.1, 6.0
"""What it costs that the first column does not begin, or the last not end, where the rows do: `TIE`
times the square of the distance in units of `FREE_MM`, at most `TIE` times `MOST_TIE`. A change
that is seen in every row brings 1."""


class Edges(NamedTuple):
    """Starts and ends along the rows of a page.

    Attributes:
        start, end: (rows, W), the probability that a lead begins or ends, a cell for every mm.
    """

    start: NDArray[np.float32]
    end: NDArray[np.float32]

    @property
    def change(self) -> NDArray[np.float32]:
        """(rows, W), the probability that one lead ends and the next begins."""
        return np.minimum(self.start, self.end)


class Columns(NamedTuple):
    """Equal columns of a grid: where the first begins, their width in mm, and their number."""

    left: float
    pitch: float
    number: int

    @property
    def right(self) -> float:
        """Where the last column ends, in mm."""
        return self.left + self.number * self.pitch

    @property
    def inner(self) -> NDArray[np.float64]:
        """Where columns change, in mm; (number - 1,)."""
        return np.asarray(self.left + self.pitch * np.arange(1, self.number), np.float64)


def find_edges(maps: PageMaps, rows: Sequence[Row]) -> Edges:
    """Return the starts and ends along every row."""
    found = []
    for values in (maps.start, maps.end):
        near = [values[max(round(row.y) - AROUND_MM, 0) : round(row.y) + AROUND_MM + 1]
                for row in rows]  # fmt: skip
        along = np.array([part.max(0) for part in near], np.float32)
        found.append(along.reshape(len(rows), values.shape[1]))
    return Edges(*found)


def seen_changes(change: NDArray[np.float32]) -> list[tuple[float, float]]:
    """Return place in mm and probability of every change along one row.

    Args:
        change: (W,), see `Edges.change`.
    """
    padded = np.pad(change, 1)
    peak = (padded[1:-1] >= LEAST) & (padded[1:-1] >= padded[:-2]) & (padded[1:-1] > padded[2:])
    found = []
    for k in np.flatnonzero(peak):
        weight = padded[k : k + 3].astype(np.float64)
        found.append((float((weight * (k + np.array([-0.5, 0.5, 1.5]))).sum() / weight.sum()),
                      float(change[k])))  # fmt: skip
    return found


def fit_columns(edges: Edges, left: float, right: float, count: int) -> Columns:
    """Return the columns that the changes of all rows suggest.

    Args:
        left, right: from where to where the rows seem to be printed, in mm.
        count: number of columns.
    """
    start, end, change = (_mean(values) for values in (edges.start, edges.end, edges.change))
    if not len(start):
        return Columns(left, (right - left) / count, count)
    width = (right - left) / count
    lefts = left + np.arange(-LEFT_MM, LEFT_MM + STEP_MM, STEP_MM)[:, None]
    pitches = np.arange(PITCH[0] * width, PITCH[1] * width, STEP_MM / count)[None]
    rights = lefts + count * pitches
    score = _at(start, lefts) + _at(end, rights)
    for k in range(1, count):
        score = score + _at(change, lefts + k * pitches)
    for off, free in ((lefts - left, FREE_MM[0]), (rights - right, FREE_MM[1])):
        score = score - TIE * np.minimum(np.square(off / free), MOST_TIE)
    i, j = np.unravel_index(int(score.argmax()), score.shape)
    return _refined(edges, Columns(float(lefts[i, 0]), float(pitches[0, j]), count))


def _refined(edges: Edges, columns: Columns) -> Columns:
    """Return the columns through the changes seen near those that are expected: least squares."""
    wanted = np.array([columns.left, *columns.inner, columns.right])
    kinds = [edges.start, *[edges.change] * (columns.number - 1), edges.end]
    terms, places, weights = [], [], []
    for k, (place, values) in enumerate(zip(wanted, kinds, strict=True)):
        for row in values:
            near = [
                (abs(x - place), x, p) for x, p in seen_changes(row) if abs(x - place) < NEAR_MM
            ]
            if near:
                _, x, p = min(near)
                terms.append((1.0, float(k)))
                places.append(x)
                weights.append(p if 0 < k < columns.number else 0.5 * p)
    for k in (0, columns.number):  # where nothing is seen they stay
        terms.append((1.0, float(k)))
        places.append(float(wanted[k]))
        weights.append(0.05)
    root = np.sqrt(weights)
    (left, pitch), *_ = np.linalg.lstsq(root[:, None] * np.array(terms), root * places, rcond=None)
    return Columns(float(left), float(pitch), columns.number)


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean over rows, each the highest within a cell: rows may be 1 mm apart."""
    if not len(values):
        return values[:0, :0].ravel()
    wide = cv2.dilate(values, np.ones((1, 3), np.uint8))
    return np.asarray(cv2.blur(wide.mean(0, keepdims=True), (3, 1))[0], np.float32)


def _at(profile: NDArray[np.float32], mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a profile of cells at places in mm, 0 beyond it."""
    return np.interp(mm - 0.5, np.arange(len(profile)), profile, left=0, right=0)
