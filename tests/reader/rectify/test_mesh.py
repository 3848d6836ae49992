"""Meshes whose map is known, and lattices with planted faults."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgvision.reader.rectify.lattice import Lattice
from ecgvision.reader.rectify.mesh import MARGIN, Mesh, mesh_of, plain_mesh
from ecgvision.reader.rectify.smooth import smooth


def affine_mesh(rows: int, columns: int, matrix: np.ndarray, shift: np.ndarray) -> Mesh:
    j, i = np.indices((rows, columns))
    mm = 5.0 * np.stack([i, j], axis=-1)
    return Mesh(mm @ matrix.T + shift, np.ones((rows, columns), bool))


@given(seed=st.integers(0, 2**16))
def test_a_point_of_the_paper_is_where_the_map_puts_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, shift = rng.normal(0, 4, (2, 2)), rng.uniform(0, 300, 2)
    rows, columns = rng.integers(3, 12, 2)
    mesh = affine_mesh(rows, columns, matrix, shift)
    mm = rng.uniform(0, 1, (4, 7, 2)) * mesh.size_mm[::-1]
    assert mesh.size_mm == (5.0 * (rows - 1), 5.0 * (columns - 1))
    assert mesh.to_picture(mm) == pytest.approx(mm @ matrix.T + shift, abs=1e-9)
    corner = mesh.to_picture(np.array([-50.0, -50.0]))
    assert corner.shape == (2,)
    assert corner == pytest.approx(shift)
    sides = 5 * np.linalg.norm(matrix, axis=0)
    counts = rows * (columns - 1), columns * (rows - 1)
    each = np.repeat(sides, counts)
    assert mesh.px_per_mm == pytest.approx(np.median(each) / 5)


@pytest.mark.parametrize("quarters", range(-1, 5))
def test_a_turned_mesh_is_of_the_turned_paper(quarters: int) -> None:
    rng = np.random.default_rng(0)
    nodes, seen = rng.normal(0, 50, (4, 6, 2)), rng.random((4, 6)) < 0.5
    found = Mesh(nodes, seen).turned(quarters)
    for j in range(4):
        for i in range(6):
            # after a quarter turn to the left, the right-hand edge is above
            y, x, height, width = j, i, 4, 6
            for _ in range(quarters % 4):
                y, x, height, width = width - 1 - x, y, width, height
            np.testing.assert_array_equal(found.nodes[y, x], nodes[j, i])
            assert found.seen[y, x] == seen[j, i]
            assert found.seen.shape == (height, width)


@pytest.mark.parametrize(
    ("size", "px_per_mm"), [((100, 200), 4.0), ((101, 203), 3.3), ((30, 30), 6.0)]
)
def test_a_plain_mesh_is_the_picture_itself(size: tuple[int, int], px_per_mm: float) -> None:
    mesh = plain_mesh(size, px_per_mm)
    assert not mesh.seen.any()
    height, width = mesh.size_mm
    assert size[0] <= height * px_per_mm + 1e-9 < size[0] + 5 * px_per_mm
    assert size[1] <= width * px_per_mm + 1e-9 < size[1] + 5 * px_per_mm
    mm = np.array([[0.0, 0.0], [5.0, 5.0], [4.5, 2.5]])
    assert mesh.to_picture(mm) == pytest.approx(mm * px_per_mm - 0.5, abs=1e-9)
    assert mesh.px_per_mm == pytest.approx(px_per_mm)
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    flat = mesh.flatten(picture, px_per_mm)
    off = np.abs(flat[: size[0], : size[1]].astype(int) - picture)
    assert off.max() <= 1
    assert (flat[size[0] :] == 255).all()
    assert (flat[:, size[1] :] == 255).all()


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0, 2.0])
def test_a_picture_at_another_resolution_has_its_places(scale: float) -> None:
    """A smooth picture, flattened at a quarter to twice its resolution."""
    mesh = plain_mesh((160, 240), 8.0)

    def level(mm: np.ndarray) -> np.ndarray:
        return 120 + 60 * np.sin(mm[..., 0] / 2.0) + 40 * np.cos(mm[..., 1] / 1.5)

    def at(px_per_mm: float) -> np.ndarray:
        j, i = np.indices((round(20 * px_per_mm), round(30 * px_per_mm))) + 0.5
        return level(np.stack([i, j], axis=-1) / px_per_mm)

    picture = np.repeat(at(8.0).round().astype(np.uint8)[..., None], 3, axis=2)
    found = mesh.flatten(picture, 8.0 * scale)[..., 0].astype(float)
    wanted = at(8.0 * scale)
    assert found.shape == wanted.shape
    edge = 3
    off = (found - wanted)[edge:-edge, edge:-edge]
    assert abs(off.mean()) < 1
    assert np.abs(off).max() < 6  # half a pixel of shift at 2 px/mm were 15


def lattice_of(points: np.ndarray) -> Lattice:
    strength = np.where(np.isfinite(points[..., 0]), 2.0, 0.0)
    return Lattice(points, strength)


def bent_points(rows: int = 16, columns: int = 20, crease: float = 0.0) -> np.ndarray:
    j, i = np.indices((rows, columns)).astype(float)
    x = 40 * i + 3 * np.sin(j / 5) + 0.05 * i * j
    y = 40 * j + 4 * np.sin(i / 6) + crease * np.maximum(i - 9, 0)
    return np.stack([x + 30, y + 50], axis=-1)


@settings(max_examples=15, deadline=None)
@given(
    row=st.integers(0, 15), column=st.integers(0, 19), size=st.floats(2, 9), seed=st.integers(0, 99)
)
def test_an_outlier_is_removed(row: int, column: int, size: float, seed: int) -> None:
    clean = bent_points()
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi)
    points = clean + rng.normal(0, 0.2, clean.shape)
    points[row, column] = clean[row, column] + size * np.array([np.cos(angle), np.sin(angle)])
    found = smooth(lattice_of(points)).points
    off = np.linalg.norm(found - clean, axis=-1)
    border = row in (0, 15) or column in (0, 19)
    assert off[row, column] < (size + 0.6 if border else 0.25 * size + 0.5)
    off[row, column] = 0
    assert np.percentile(off, 95) < 0.7
    assert off.max() < 1.8


def test_noise_becomes_less() -> None:
    clean, rng = bent_points(), np.random.default_rng(0)
    noise = rng.normal(0, 0.6, clean.shape)
    found = smooth(lattice_of(clean + noise)).points
    assert (found - clean).std() < 0.6 * noise.std()


@pytest.mark.parametrize("crease", [3.0, 8.0, -8.0])
def test_a_crease_stays(crease: float) -> None:
    """Up to a fifth of the square's side in a square."""
    clean = bent_points(crease=crease)
    found = smooth(lattice_of(clean)).points
    off = np.linalg.norm(found - clean, axis=-1)
    assert off.max() < 0.06 * 40  # 0.3 mm
    assert np.median(off) < 0.1


def test_faint_crossings_that_lie_astray_are_left_out_and_gaps_stay() -> None:
    clean = bent_points()
    points = clean.copy()
    points[5, 5] += [6.0, 3.0]
    points[9, 9] = np.nan
    lattice = lattice_of(points)
    lattice.strength[5, 5] = 0.8
    lattice.strength[7, 7] = 0.8  # faint, but in its place
    found = smooth(lattice)
    missing = ~found.found
    assert np.argwhere(missing).tolist() == [[5, 5], [9, 9]]
    assert found.strength[5, 5] == 0
    assert found.points[7, 7] == pytest.approx(clean[7, 7], abs=0.3)


def test_a_mesh_goes_through_its_lattice_and_around_it() -> None:
    """In perspective, to which what was not found is continued."""
    j, i = np.indices((12, 15)).astype(float)
    w = 1 + 0.01 * i - 0.008 * j
    points = np.stack([(30 * i + 4 * j + 100) / w, (31 * j - 3 * i + 90) / w], axis=-1)
    wanted = points.copy()
    holes = np.zeros((12, 15), bool)
    holes[4:7, 5:8] = holes[0, 0] = True
    points[holes] = np.nan
    mesh = mesh_of(lattice_of(points), 0.5)
    assert mesh.nodes.shape == (12 + 2 * MARGIN, 15 + 2 * MARGIN, 2)
    inner = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert (mesh.seen[inner] == ~holes).all()
    assert mesh.seen.sum() == (~holes).sum()
    # the lattice's picture has half the pixels: its pixel k covers 2k and 2k + 1
    assert mesh.nodes[inner] == pytest.approx(2 * wanted + 0.5, abs=0.2)
    j, i = np.indices(mesh.seen.shape) - MARGIN
    w = 1 + 0.01 * i - 0.008 * j
    around = np.stack([(30 * i + 4 * j + 100) / w, (31 * j - 3 * i + 90) / w], axis=-1)
    assert mesh.nodes == pytest.approx(2 * around + 0.5, abs=0.3)


def test_a_regular_lattice_scores_high_and_a_broken_or_small_one_low() -> None:
    points = bent_points()
    assert lattice_of(points).square == pytest.approx(40, rel=0.02)
    assert lattice_of(points).score == pytest.approx(2)
    assert lattice_of(points[:4, :5]).score == 0  # too few crossings to say
    broken = points + np.random.default_rng(0).normal(0, 8, points.shape)
    assert lattice_of(broken).score < 0.6
