"""Find the ECG paper in a picture by its printed grid, and make it flat.

The result does not depend on margins, resolution, perspective or small turns of the picture, and
it follows folds and crumples. Runs on numpy and OpenCV.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.reader.rectify.contrast import line_contrast
from ecgvision.reader.rectify.grid_period import Seed, find_seeds
from ecgvision.reader.rectify.lattice import LEAST_STRENGTH, Lattice, continued, grow, sample
from ecgvision.reader.rectify.mesh import Mesh, mesh_of
from ecgvision.reader.rectify.rigid import rigid_lattice
from ecgvision.reader.rectify.smooth import REACH, WIDE, smooth

LONGEST = 2000
"""Longest side in pixels at which the grid is searched; our default. A crossing is found to a tenth
of a pixel, so that more pixels cost time and bring nothing."""

TRIAL = 300
"""Crossings of a trial lattice; the best of the trials is grown to its end."""

SURE, LEAST = 1.2, 0.3
"""Scores of a lattice (see `Lattice.score`): above the first no further seed is tried, below the
second there is no grid. Our defaults: grids that are seen well reach 1.2 to 2, pictures without a
grid 0.25."""

FAINTEST = 0.35
"""Share of the trial's strength below which a crossing is not accepted: patterns beyond the paper
are no grid."""

DRIFT = 0.15
"""Largest logarithm of the ratio between the squares of a trial and those of its seed: a lattice
that jumps to other lines is none."""

HALF = 0.6
"""Relative strength of lines half-way between those of a trial above which they belong to it: the
seed saw every other line."""

MORE = 1.1
"""Crossings found by following the grid beyond a flat part, relative to that part's, from which the
sheet is not flat."""

FINEST, SMALLER = 10.0, 1.25
"""Period in pixels below which lines may be every second one of a grid that is too fine to be seen,
and how much smaller than `LONGEST` a picture must be to be enlarged and searched once more."""

MOST_SQUARES = 130
"""Squares along a picture's longer side above which they are taken to be of 1 mm; our default:
pages have 40 to 60 squares of 5 mm, and 200 to 300 of 1 mm."""


@dataclass(frozen=True, eq=False)
class Paper:
    """The paper in a picture.

    Attributes:
        mesh: from millimetres of paper to pixels of the picture.
        score: how clearly the grid was seen; see `Lattice.score`.
    """

    mesh: Mesh
    score: float


def find_paper(picture: NDArray[np.uint8]) -> Paper | None:
    """Find the paper's grid, or None if no grid can be seen.

    The paper's upper edge is the one that is nearest to the picture's: a page on its side or upside
    down stays so.

    Args:
        picture: (H, W, 3) uint8 of any size.
    """
    longest = max(picture.shape[:2])
    scale = min(1.0, LONGEST / longest)
    lattice, fine = _find_lattice(_resized(picture, scale))
    if (lattice is None or fine < FINEST) and longest * SMALLER < LONGEST:
        larger = min(2.0, LONGEST / longest)
        again, _ = _find_lattice(_resized(picture, larger))
        if again is not None:
            lattice, scale = again, larger
    if lattice is None:
        return None
    reach = WIDE if lattice.flat else REACH
    return Paper(mesh_of(smooth(lattice, reach), scale), lattice.score)


def _resized(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return picture
    size = [max(1, round(n * scale)) for n in picture.shape[1::-1]]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def _find_lattice(picture: NDArray[np.uint8]) -> tuple[Lattice | None, float]:
    """Return the lattice of squares of 5 mm, if a grid is seen, and the period of its lines."""
    contrast = line_contrast(picture)
    trial = _best_trial(contrast)
    if trial is None:
        return None, math.inf
    seed, part, lines = trial
    strength = float(np.median(part.strength[part.found]))
    period = fine = part.square / lines
    if max(contrast.shape) / period > MOST_SQUARES:
        period, lines = 5 * period, lines / 5
    least = max(LEAST_STRENGTH, FAINTEST * strength)
    lattice = rigid_lattice(contrast, part, lines, least)
    if lattice is None:
        lattice = grow(contrast, seed._replace(period=period), least_strength=least)
    else:
        whole = continued(contrast, lattice, least)
        if whole.found.sum() > MORE * lattice.found.sum():  # the sheet goes on, but not flat
            lattice = whole
    return (lattice if lattice.score >= LEAST else None), fine  # of few crossings it is 0


def _best_trial(contrast: NDArray[np.float32]) -> tuple[Seed, Lattice, float] | None:
    """Return the best seed, its lattice, and how many lines on each of its squares ends."""
    best, chosen = LEAST, None
    for seed in find_seeds(contrast):
        trial = grow(contrast, seed, most=TRIAL)
        if trial.score > best and abs(math.log(trial.square / seed.period)) < DRIFT:
            lines = line_profile(contrast, trial)
            double = lines[:, 2].min() > HALF and lines[:, [1, 3]].max() < HALF
            best, chosen = trial.score, (seed, trial, 2.0 if double else 1.0)
        if best > SURE:
            break
    return chosen


def line_profile(contrast: NDArray[np.float32], lattice: Lattice) -> NDArray[np.float64]:
    """Return (2, 4): contrast at quarters of the squares, across and down, relative to the lines.

    Lines have 1 and the darkness usual within a square has 0.
    """
    points = lattice.points
    corners = points[:-1, :-1], points[:-1, 1:], points[1:, :-1], points[1:, 1:]
    complete = np.isfinite(sum(corners)).all(-1)
    if not complete.any():
        return np.zeros((2, 4))
    a, b, c, d = (corner[complete][:, None, None] for corner in corners)
    share, along = np.meshgrid(np.arange(40) / 40, np.linspace(0.12, 0.88, 9), indexing="ij")
    out = np.empty((2, 4))
    for axis in (0, 1):
        s, t = (v[..., None] for v in ((share, along) if axis == 0 else (along, share)))
        places = (1 - s) * (1 - t) * a + s * (1 - t) * b + (1 - s) * t * c + s * t * d
        profile = sample(contrast, places).mean((0, 2)).astype(np.float64)
        usual = np.median(profile)
        out[axis] = (profile[::10] - usual) / max(profile[0] - usual, 1e-3)
    return out
