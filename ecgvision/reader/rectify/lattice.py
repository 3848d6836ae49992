"""The crossings of the paper's grid lines, found one after the other from a seed.

Every crossing is predicted from its neighbours and then moved to where the lines are. A fold or a
crumple bends the lattice by little from one square to the next, so it is followed wherever the
lines can be seen. Our own design.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.reader.rectify.grid_period import Seed

REACH = np.linspace(-0.35, 0.35, 29)
"""Offsets searched around a predicted crossing, in squares."""

ALONG = np.concatenate([np.linspace(-0.55, -0.1, 12), np.linspace(0.1, 0.55, 12)])
"""Places along a line where its darkness is averaged, in squares from the crossing."""

DRIFTS = (0.14, 0.10)
"""Standard deviation of an offset that is expected, in squares, in the first and second step."""

LEAST_STRENGTH = 0.25
"""Contrast of the fainter of its two lines below which a crossing is not accepted; our default for
a lattice of which nothing is known."""

SURPRISE = 0.15
"""Distance from where two or more neighbours expect a crossing, in squares, beyond which it is not
accepted; our default: creases shift it by less, and print beside the line by more."""

TRIES = 3
"""How often a crossing is tried again, as more of its neighbours become known."""

BENT = 0.1
"""Second difference, in squares, below which three crossings in a row count as smooth."""

FEWEST = 30
"""Number of crossings below which nothing can be said of a lattice."""

WIDEST, SMALLEST = 400, 0.4
"""Maximum number of squares on each side of the seed, and the least size of a square, relative to
the seed's, for which there is room on all of the picture."""

OBLONG = 1.08
"""Largest ratio of an expected side of a square to the mean of both; our default: perspective
makes them more oblong at times, which a crossing's own offset follows, and a lattice that jumps
from one line of 1 mm to the next makes them 1.1 and more."""

SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True, eq=False)
class Lattice:
    """Crossings of grid lines.

    Attributes:
        points: (rows, columns, 2) float64 x, y in pixels of the picture; NaN where not found.
        strength: (rows, columns) contrast of the fainter line of each crossing; 0 where not found.
        flat: whether all crossings obey one smooth map.
    """

    points: NDArray[np.float64]
    strength: NDArray[np.float64]
    flat: bool = False

    @cached_property
    def found(self) -> NDArray[np.bool_]:
        """(rows, columns), the crossings that were found."""
        return np.isfinite(self.points[..., 0])

    @cached_property
    def square(self) -> float:
        """Median side of a square in pixels; NaN without neighbouring crossings."""
        sides = [np.linalg.norm(np.diff(self.points, axis=axis), axis=-1) for axis in (0, 1)]
        medians = [np.median(side[np.isfinite(side)]) if np.isfinite(side).any() else math.nan
                   for side in sides]  # fmt: skip
        return math.sqrt(medians[0] * medians[1])

    @cached_property
    def score(self) -> float:
        """Strength of the lines times the share of crossings that lie smoothly in their line.

        About 2 on a clean print and below 0.3 where there is no grid. 0 for a tiny lattice.
        """
        if self.found.sum() < FEWEST:
            return 0.0
        bends = [np.linalg.norm(np.diff(self.points, n=2, axis=axis), axis=-1) / self.square
                 for axis in (0, 1)]  # fmt: skip
        known = np.concatenate([bend[np.isfinite(bend)] for bend in bends])
        if not len(known):
            return 0.0
        return float((known < BENT).mean() * np.median(self.strength[self.found]))


def grow(
    contrast: NDArray[np.float32], seed: Seed, *, most: int | None = None,
    least_strength: float = LEAST_STRENGTH,
) -> Lattice:  # fmt: skip
    """Follow the grid from a seed.

    Args:
        contrast: (H, W), see `line_contrast`.
        most: stop after about this many crossings; None follows the grid as far as it goes.
        least_strength: contrast below which a crossing is not accepted.
    """
    return _Growth(contrast, seed, least_strength).run(most)


def continued(
    contrast: NDArray[np.float32], lattice: Lattice, least_strength: float = LEAST_STRENGTH
) -> Lattice:
    """Follow the grid from a part of it.

    Args:
        contrast: (H, W), see `line_contrast`.
        least_strength: contrast below which a crossing is not accepted.
    """
    x, y = (float(v) for v in lattice.points[lattice.found].mean(0))
    growth = _Growth(contrast, Seed(x, y, 0.0, lattice.square), least_strength)
    growth.start(lattice)
    return growth.run(None)


class _Growth:
    """Arrays that fill up while a lattice grows; indices are rows and columns of lines."""

    def __init__(self, contrast: NDArray[np.float32], seed: Seed, least_strength: float) -> None:
        self.contrast, self.least_strength = contrast, least_strength
        reach = math.hypot(*contrast.shape) / (SMALLEST * seed.period)
        self.middle = min(WIDEST, math.ceil(reach) + 2)
        size = 2 * self.middle + 1
        self.points = np.full((size, size, 2), np.nan)
        self.sides = np.full((size, size, 2, 2), np.nan)  # of the square: across and down
        self.strength = np.zeros((size, size))
        self.known = np.zeros((size, size), bool)
        self.tried = np.zeros((size, size), np.int8)
        across = np.array([math.cos(seed.angle), math.sin(seed.angle)]) * seed.period
        sides = np.stack([across, [-across[1], across[0]]])
        shares = np.linspace(0, 1, 12, endpoint=False)
        places = np.array([[s, t] for s in shares for t in shares]) @ sides + [seed.x, seed.y]
        points, strength = settle(
            contrast, places, np.repeat(sides[None], len(places), 0), math.inf
        )
        best = int(strength.argmax())
        self.points[self.middle, self.middle], self.sides[self.middle, self.middle] = (
            points[best],
            sides,
        )
        self.strength[self.middle, self.middle] = strength[best]
        self.known[self.middle, self.middle] = True

    def start(self, lattice: Lattice) -> None:
        """Take a lattice for what is known, in place of the seed's crossing."""
        self.known[:] = False
        self.points[:] = self.sides[:] = np.nan
        at = np.argwhere(lattice.found) + self.middle - np.array(lattice.found.shape) // 2
        rows, columns = at.T
        self.known[rows, columns] = True
        self.points[rows, columns] = lattice.points[lattice.found]
        self.strength[rows, columns] = lattice.strength[lattice.found]
        usual = np.array([np.nanmedian(np.diff(lattice.points, axis=axis).reshape(-1, 2), axis=0)
                          for axis in (1, 0)])  # fmt: skip
        self.sides[rows, columns] = self._sides(rows, columns, np.tile(usual, (len(rows), 1, 1)))

    def run(self, most: int | None) -> Lattice:
        while most is None or self.known.sum() < most:
            rows, columns = np.nonzero(self._edge())
            if not len(rows):
                break
            self._step(rows, columns)
        rows, columns = (np.flatnonzero(self.known.any(axis)) for axis in (1, 0))
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return Lattice(self.points[part].copy(), self.strength[part].copy())

    def _edge(self) -> NDArray[np.bool_]:
        known = self.known
        beside = np.zeros_like(known)
        beside[1:] |= known[:-1]
        beside[:-1] |= known[1:]
        beside[:, 1:] |= known[:, :-1]
        beside[:, :-1] |= known[:, 1:]
        beside[[0, -1]] = beside[:, [0, -1]] = False
        return beside & ~known & (self.tried < TRIES)

    def _step(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> None:
        count = np.zeros(len(rows))
        points, sides = np.zeros((len(rows), 2)), np.zeros((len(rows), 2, 2))
        for across, down in SIDES:
            at = rows - down, columns - across
            known = self.known[at]
            count += known
            side = np.where(known[:, None, None], self.sides[at], 0)
            sides += side
            points += np.where(known[:, None], self.points[at], 0)
            points += across * side[:, 0] + down * side[:, 1]
        surest = np.asarray(count >= 2 if (count >= 2).any() else count >= 1)
        rows, columns, count = rows[surest], columns[surest], count[surest]
        points = points[surest] / count[:, None]
        sides = sides[surest] / count[:, None, None]
        height, width = self.contrast.shape
        inside = ((points > 2) & (points < [width - 3, height - 3])).all(1)
        self.tried[rows[~inside], columns[~inside]] = TRIES
        rows, columns, count = rows[inside], columns[inside], count[inside]
        points, sides = points[inside], sides[inside]
        if not len(rows):
            return
        found, _ = settle(self.contrast, points, sides, DRIFTS[0])
        found, strength = settle(self.contrast, found, sides, DRIFTS[1])
        self.tried[rows, columns] += 1
        side = np.sqrt(np.abs(np.linalg.det(sides)))
        expected = np.linalg.norm(found - points, axis=1) < SURPRISE * side
        good = (strength > self.least_strength) & (expected | (count < 2))
        points = found
        rows, columns, sides = rows[good], columns[good], sides[good]
        self.points[rows, columns], self.strength[rows, columns] = points[good], strength[good]
        self.known[rows, columns] = True
        self.sides[rows, columns] = self._sides(rows, columns, sides)

    def _sides(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], expected: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the sides of squares: the mean of those expected and those measured."""
        out = expected.copy()
        here = self.points[rows, columns]
        for axis, (down, across) in enumerate(((0, 1), (1, 0))):
            after = self.points[rows + down, columns + across]
            before = self.points[rows - down, columns - across]
            ends = np.stack([after - here, here - before])
            measured = np.isfinite(ends).any((0, 2))
            out[measured, axis] += np.nanmean(ends[:, measured], axis=0)
            out[measured, axis] /= 2
        length = np.linalg.norm(out, axis=-1)
        mean = np.sqrt(length.prod(axis=1, keepdims=True))
        return np.asarray(out * (length.clip(mean / OBLONG, mean * OBLONG) / length)[..., None])


def settle(
    contrast: NDArray[np.float32], points: NDArray[np.float64], sides: NDArray[np.float64],
    drift: float, reach: NDArray[np.float64] = REACH,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Move points to the crossings near them; return them and the fainter line's contrast.

    Args:
        contrast: (H, W), see `line_contrast`.
        points: (N, 2) x, y in pixels.
        sides: (N, 2, 2) sides of the square at each point, across and down, in pixels.
        drift: standard deviation of an offset that is expected, in squares.
        reach: offsets that are tried, in squares.
    """
    moved, strength = points.copy(), np.full(len(points), np.inf)
    expected = 0.125 * np.square(reach / drift)
    for axis in (0, 1):
        over, along = sides[:, axis], sides[:, 1 - axis]
        profile = sample(contrast, points[:, None, None]
                         + reach[:, None, None] * over[:, None, None]
                         + ALONG[:, None] * along[:, None, None]).mean(2)  # fmt: skip
        profile = profile - np.median(profile, axis=1, keepdims=True)
        offset, height = _peak(profile, profile - expected, reach)
        moved += offset[:, None] * over
        strength = np.minimum(strength, height)
    return moved, strength


def _peak(
    profile: NDArray[np.floating], score: NDArray[np.floating], reach: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the place of the highest score, refined by a parabola, and the profile there."""
    best = score.argmax(1).clip(1, score.shape[1] - 2)
    row = np.arange(len(score))
    left, middle, right = (score[row, best + k] for k in (-1, 0, 1))
    curve = left - 2 * middle + right
    shift = np.where(curve < -1e-6, (left - right) / np.where(curve < -1e-6, 2 * curve, 1), 0)
    step = reach[1] - reach[0]
    return reach[best] + step * shift.clip(-0.5, 0.5), profile[row, best].astype(np.float64)


def sample(values: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return bilinear values at points, 0 outside.

    Args:
        values: (H, W).
        points: (..., 2) x, y in pixels, (0, 0) in the middle of the first pixel.

    Returns:
        float32 of shape (...).
    """
    flat = points.reshape(-1, 2).astype(np.float32)
    count = len(flat)
    wide = min(count, 4096)  # OpenCV takes at most 32,767 rows or columns
    flat = np.resize(flat, (-(-count // wide), wide, 2))
    found = cv2.remap(values, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_CONSTANT, borderValue=0)  # fmt: skip
    return np.asarray(found, np.float32).ravel()[:count].reshape(points.shape[:-1])
