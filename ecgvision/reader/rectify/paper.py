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
from ecgvision.reader.rectify.lattice import LEAST_STRENGTH, Lattice, grow, sample
from ecgvision.reader.rectify.mesh import Mesh, mesh_of
from ecgvision.reader.rectify.smooth import smooth

LONGEST = 2000
"""Longest side in pixels at which the grid is searched; our default. A crossing is found to a tenth
of a pixel, so that more pixels cost time and bring nothing."""

TRIAL = 300
"""Crossings of a trial lattice; the best of the trials is grown to its end."""

SURE, LEAST = 1.0, 0.3
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
    scale = min(1.0, LONGEST / max(picture.shape[:2]))
    small = picture
    if scale < 1:
        size = [max(1, round(n * scale)) for n in picture.shape[1::-1]]
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    contrast = line_contrast(small)
    trial = _best_trial(contrast)
    if trial is None:
        return None
    seed, strength = trial
    if max(contrast.shape) / seed.period > MOST_SQUARES:
        seed = seed._replace(period=5 * seed.period)
    lattice = grow(contrast, seed, least_strength=max(LEAST_STRENGTH, FAINTEST * strength))
    if lattice.score < LEAST:  # of few crossings it is 0
        return None
    return Paper(mesh_of(smooth(lattice), scale), lattice.score)


def _best_trial(contrast: NDArray[np.float32]) -> tuple[Seed, float] | None:
    """Return the best seed with the period measured there, and its lines' median strength."""
    best, chosen = LEAST, None
    for seed in find_seeds(contrast):
        trial = grow(contrast, seed, most=TRIAL)
        if trial.score > best and abs(math.log(trial.square / seed.period)) < DRIFT:
            lines = line_profile(contrast, trial)
            double = lines[:, 2].min() > HALF and lines[:, [1, 3]].max() < HALF
            best = trial.score
            chosen = (seed._replace(period=trial.square / (2 if double else 1)),
                      float(np.median(trial.strength[trial.found])))  # fmt: skip
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
