"""The lattice of a sheet that lies nearly flat: one smooth map for all of its crossings.

Millimetre lines can be as dark as those of 5 mm, and a trace can run along a line. A lattice that
is followed from crossing to crossing then jumps by a millimetre. On a flat sheet all crossings obey
one map, which leaves no room for a jump. Sheets that are folded or crumpled are refused. Our own
design.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.reader.rectify.lattice import LEAST_STRENGTH, Lattice, settle

REACH = np.linspace(-0.15, 0.15, 25)
"""Offsets searched around a crossing that the map expects, in squares: lines of 1 mm are 0.2
apart."""

DRIFT = 0.06
"""Standard deviation of an offset that is expected, in squares; our default."""

AGREES = 0.07
"""Distance from the map, in squares, up to which a crossing agrees with it; our default."""

WIDER = 1.6
"""By how much the part of the sheet that is looked at grows from one round to the next."""

ROUNDS, GROWTH = 12, 1.02
"""Largest number of rounds, and the growth of a round below which it is the last."""

FEWEST = 40
"""Number of crossings below which there is no map."""

LEAST_SHARE = 0.9
"""Share of the crossings that were found that agree with the map of a flat sheet; our default."""

POWERS = ((2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))
"""Powers of column and row by which the map may bend: lenses, and sheets that curl."""

RIDGE = 1e-3
"""Ridge on the bends."""

BESIDE = 4
"""Of the eight crossings around one, how many must have been found."""


def rigid_lattice(
    contrast: NDArray[np.float32], trial: Lattice, lines: float = 1.0,
    least_strength: float = LEAST_STRENGTH,
) -> Lattice | None:  # fmt: skip
    """Return the lattice of a flat sheet, or None if the sheet is not flat.

    Args:
        contrast: (H, W), see `line_contrast`.
        trial: a lattice of a part of the sheet, of lines of any period.
        lines: side of the trial's squares, in squares of the lattice.
        least_strength: contrast below which a crossing is not accepted.
    """
    index = np.argwhere(trial.found)[:, ::-1].astype(np.float64) * lines  # column, row
    points = trial.points[trial.found]
    if len(index) < FEWEST:
        return None
    matrix, agrees = cv2.findHomography(index, points, cv2.RANSAC, AGREES * trial.square / lines)
    if matrix is None or agrees.sum() < FEWEST:
        return None
    kept = agrees.ravel() > 0
    index, points = index[kept], points[kept]
    if lines < 1:
        index = index - _phase(contrast, _Map(index, points), index)
    most = 0
    for _ in range(ROUNDS):
        low, high = np.floor(index.min(0)), np.ceil(index.max(0))
        more = np.maximum(np.ceil((WIDER - 1) / 2 * (high - low)), 2)
        sheet = _Map(index, points)
        wanted = _inside(sheet, low - more, high + more, contrast.shape)
        expected, sides = sheet.at(wanted), sheet.sides(wanted)
        found, strength = settle(contrast, expected, sides, DRIFT, REACH)
        size = np.sqrt(np.abs(np.linalg.det(sides)))
        off = np.linalg.norm(found - expected, axis=1) / size
        seen = _dense(wanted, strength > least_strength)
        good = seen & (off < AGREES)
        if good.sum() < FEWEST or good.sum() < LEAST_SHARE * seen.sum():
            return None
        index, points, strengths = wanted[good], found[good], strength[good]
        if good.sum() <= GROWTH * most:
            break
        most = good.sum()
    first = index.min(0)
    columns, rows = (index - first).astype(int).T
    shape = (rows.max() + 1, columns.max() + 1)
    lattice = Lattice(np.full((*shape, 2), np.nan), np.zeros(shape), flat=True)
    lattice.points[rows, columns], lattice.strength[rows, columns] = points, strengths
    return lattice


def _phase(
    contrast: NDArray[np.float32], sheet: _Map, index: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return by how many squares the darkest crossings are beside whole columns and rows.

    Lines of 1 mm are every one of them possible; those of 5 mm are the darkest, if any are.
    """
    low, high = np.ceil(index.min(0)), np.floor(index.max(0))
    whole = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True))),
                     axis=-1).reshape(-1, 2)  # fmt: skip
    best, most = np.zeros(2), -np.inf
    for shift in np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2) / 5:
        wanted = whole + shift
        _, strength = settle(contrast, sheet.at(wanted), sheet.sides(wanted), DRIFT, REACH)
        if strength.mean() > most:
            best, most = shift, float(strength.mean())
    return best


class _Map:
    """A homography and bends of low degree from columns and rows to pixels: least squares."""

    def __init__(self, index: NDArray[np.float64], points: NDArray[np.float64]) -> None:
        self.middle, self.size = index.mean(0), max(float(np.ptp(index, axis=0).max()), 1.0) / 2
        self.matrix, _ = cv2.findHomography(index, points, 0)
        terms = self._terms(index)
        off = points - self._plane(index)
        normal = terms.T @ terms + RIDGE * len(index) * np.eye(terms.shape[1])
        self.bends = np.linalg.solve(normal, terms.T @ off)

    def at(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._plane(index) + self._terms(index) @ self.bends

    def sides(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (N, 2, 2): the sides of the squares, across and down."""
        both = [(self.at(index + step) - self.at(index - step)) / 2 for step in np.eye(2)]
        return np.stack(both, axis=1)

    def _plane(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = cv2.perspectiveTransform(index.reshape(-1, 1, 2), self.matrix)
        return np.asarray(flat.reshape(-1, 2), np.float64)

    def _terms(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = ((index - self.middle) / self.size).T
        return np.stack([x**i * y**j for i, j in POWERS], axis=1)


def _inside(
    sheet: _Map, low: NDArray[np.float64], high: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the columns and rows between two corners that lie in the picture."""
    columns, rows = (np.arange(a, b + 1) for a, b in zip(low, high, strict=True))
    wanted = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    at = sheet.at(wanted)
    height, width = shape[:2]
    return wanted[((at > 2) & (at < [width - 3, height - 3])).all(1)]


def _dense(index: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which crossings were seen with most of those around them."""
    first = index.min(0)
    columns, rows = (index - first).astype(int).T
    grid = np.zeros((rows.max() + 1, columns.max() + 1), np.float32)
    grid[rows, columns] = seen
    beside = cv2.boxFilter(grid, -1, (3, 3), normalize=False, borderType=cv2.BORDER_REFLECT)
    return np.asarray(seen & (beside[rows, columns] > BESIDE))
