"""A lattice without the errors that print on the paper makes.

Where a trace or a word runs along a grid line, a crossing is pulled towards it. Paper bends
smoothly but for its creases, so each crossing is held against its neighbours: a quadratic surface
is fitted to those around it with the weights of Cauchy's estimator, under which what lies beyond a
crease or is wrong itself counts little (iteratively reweighted least squares, Holland and Welsch
1977).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgvision.reader.rectify.lattice import Lattice

REACH, WIDE = 2, 5
"""Neighbours on each side that count, and those against which faint crossings are held; our
defaults: 25 and 55 mm of paper."""

FAR = 0.03
"""Distance from the surface, in squares, at which a weight is halved; our default: the error of a
crossing on clean paper is 0.01, and a fifth of a square is a millimetre."""

FAINT, ASTRAY = 0.7, 0.12
"""Strength relative to the median below which a crossing that is so many squares from the wide
surface is dropped: it lies on a trace and not on the grid."""

ROUNDS = 6
"""Number of fits."""

RIDGE, LEAST = 1e-3, 1e-6
"""Ridge on the bends of the surface, relative to the weights, and on all terms: crossings with few
neighbours stay near where they were found."""


def smooth(lattice: Lattice, reach: int = REACH) -> Lattice:
    """Return the lattice with every crossing on the surface through its neighbours and itself.

    Faint crossings that lie astray are left out.

    Args:
        reach: neighbours on each side that count; `WIDE` for a sheet that lies flat.
    """
    off = np.linalg.norm(surface(lattice, WIDE) - lattice.points, axis=-1) / lattice.square
    faint = lattice.strength < FAINT * np.median(lattice.strength[lattice.found])
    dropped = lattice.found & faint & (off > ASTRAY)
    kept = Lattice(np.where(dropped[..., None], np.nan, lattice.points),
                   np.where(dropped, 0, lattice.strength))  # fmt: skip
    return Lattice(surface(kept, reach), kept.strength)


def surface(lattice: Lattice, reach: int) -> NDArray[np.float64]:
    """Return (rows, columns, 2): the crossings found, on the surface through their neighbours."""
    rows, columns = lattice.found.shape
    padded = np.pad(lattice.points / lattice.square, ((reach, reach), (reach, reach), (0, 0)),
                    constant_values=np.nan)  # fmt: skip
    side = np.arange(-reach, reach + 1)
    down, across = (v.ravel() for v in np.meshgrid(side, side, indexing="ij"))
    near = np.stack([padded[reach + j : reach + j + rows, reach + i : reach + i + columns]
                     for j, i in zip(down, across, strict=True)], axis=2)  # fmt: skip
    near = near[lattice.found]  # (N, neighbours, 2)
    known = np.asarray(np.isfinite(near).all(-1), np.float64)
    terms = np.stack([np.ones(len(down)), across, down, across**2, across * down, down**2], axis=1)
    ridge = np.diag([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]) * RIDGE
    values = np.where(known[..., None] > 0, near, 0)
    prior = known / (1.0 + (across**2 + down**2) / (1.6 * reach**2))
    weight = prior
    for _ in range(ROUNDS):
        weighted = (weight[..., None] * terms).transpose(0, 2, 1)
        normal = weighted @ terms + ridge * weight.sum(1)[:, None, None] + LEAST * np.eye(6)
        shares = np.linalg.solve(normal, weighted @ values)
        off = np.linalg.norm(values - terms @ shares, axis=-1)
        weight = prior / (1 + np.square(off / FAR))
    points = lattice.points.copy()
    points[lattice.found] = shares[:, 0] * lattice.square
    return points
