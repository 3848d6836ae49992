"""Lattices of flat sheets on which every millimetre has a line, and none is darker."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ecgvision.reader.rectify.contrast import line_contrast
from ecgvision.reader.rectify.grid_period import Seed
from ecgvision.reader.rectify.lattice import grow
from ecgvision.reader.rectify.rigid import rigid_lattice

HEIGHT, WIDTH = 560, 700


def sheet(px_per_mm: float, *, degrees: float = 0.0, bend: float = 0.0) -> np.ndarray:
    """Equal lines at every millimetre, a trace along one of them, and a word-like blot."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    u, v = (c * x + s * y) / px_per_mm, (c * y - s * x) / px_per_mm
    v = v + bend * np.sin(u / 6)
    away = np.minimum(*(np.abs(k - np.round(k)) for k in (u, v)))
    level = 255 - 110 * np.clip(1.4 - 2 * away * px_per_mm / 1.6, 0, 1)
    trace = np.abs(v - 40.15 - 6 * (np.mod(u, 20) < 0.5)) < 0.25
    level[trace | ((np.abs(u - 60) < 4) & (np.abs(v - 60) < 1))] = 20
    return np.repeat(level.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("degrees", [0.0, 4.0])
def test_no_crossing_jumps_to_another_millimetre(degrees: float) -> None:
    px = 7.0
    contrast = line_contrast(sheet(px, degrees=degrees))
    trial = grow(contrast, Seed(350.0, 200.0, math.radians(degrees), px), most=300)
    lattice = rigid_lattice(contrast, trial, 1 / 5)
    assert lattice is not None
    assert lattice.square == pytest.approx(5 * px, rel=0.005)
    assert lattice.found.sum() > 0.7 * (HEIGHT / 35 - 2) * (WIDTH / 35 - 2)
    rows, columns = np.nonzero(lattice.found)
    index = np.stack([columns, rows], -1).astype(float)
    terms = np.column_stack([index, np.ones(len(index))])
    points = lattice.points[lattice.found]
    off = points - terms @ np.linalg.lstsq(terms, points, rcond=None)[0]
    assert np.abs(off).max() < 0.3 * px  # less than half a millimetre


def test_a_sheet_that_is_bent_is_refused() -> None:
    contrast = line_contrast(sheet(7.0, bend=2.5))
    trial = grow(contrast, Seed(350.0, 200.0, 0.0, 7.0), most=300)
    assert rigid_lattice(contrast, trial, 1 / 5) is None


def test_too_few_crossings_are_no_map() -> None:
    contrast = line_contrast(sheet(7.0))
    trial = grow(contrast, Seed(350.0, 200.0, 0.0, 35.0), most=20)
    assert rigid_lattice(contrast, trial) is None
