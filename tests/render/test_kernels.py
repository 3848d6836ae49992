from __future__ import annotations

import itertools

import numpy as np
import pytest

from ecgvision.render import kernels


def covered(points, half: float = 2.0, size: tuple[int, int] = (40, 60)) -> np.ndarray:
    cover = np.zeros(size, np.uint8)
    points = np.array(points, float)
    kernels.stroke(points, half, 0, len(points), cover)
    return cover


@pytest.mark.parametrize("angle", [0, 10, 30, 45, 60, 80, 90])
@pytest.mark.parametrize("half", [0.25, 0.52, 1.04, 2.5])
def test_a_straight_stroke_covers_its_area(angle: float, half: float) -> None:
    away = 15 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    middle = np.array([30.3, 20.6])
    area = covered([middle - away, middle + away], half).sum() / 255
    # round ends add a disc; the box is finite: a pixel's shadow on an end is approximated
    assert area == pytest.approx(30 * 2 * half + np.pi * half**2, rel=0.03, abs=0.5)


def test_coverage_against_supersampling() -> None:
    points = np.array([[5.2, 30.1], [20.7, 8.3], [33.1, 28.9], [55.5, 24.2]])
    half, fine = 1.3, 16
    ys, xs = (np.indices((40 * fine, 60 * fine)) + 0.5) / fine
    nearest = np.full(xs.shape, np.inf)
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        dx, dy = x1 - x0, y1 - y0
        t = np.clip(((xs - x0) * dx + (ys - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        nearest = np.minimum(nearest, np.hypot(xs - x0 - t * dx, ys - y0 - t * dy))
    exact = (nearest <= half).reshape(40, fine, 60, fine).mean((1, 3)) * 255
    difference = np.abs(covered(points, half) - exact)
    assert difference[exact > 0].mean() < 3
    assert difference.max() < 90  # at the inside of a sharp corner


def test_dense_samples_of_a_line_draw_the_line() -> None:
    x = np.linspace(5, 55, 1001)
    dense = covered(np.column_stack([x, 0.4 * x + 5]), 1.0)
    np.testing.assert_allclose(dense, covered([(5, 7), (55, 27)], 1.0), atol=1)


def test_strokes_far_outside_leave_nothing_and_do_no_harm() -> None:
    for far in (1e3, 1e9, 1e300):
        assert not covered([(far, far), (far + 1, far)]).any()
        assert not covered([(-far, -far), (-far, -far - 1)]).any()
    assert covered([(30, -1e9), (30, 1e9)]).any(axis=1).all()


def test_points_that_are_not_finite_break_the_line() -> None:
    for bad in (np.nan, np.inf, -np.inf):
        cover = covered([(5, 20), (20, 20), (25, bad), (35, 20), (50, 20)])
        assert cover[20, 6:20].min() == 255
        assert cover[:, 23:32].max() == 0
        assert cover[20, 35:50].min() == 255


def test_without_a_place_for_the_cache_kernels_compile_all_the_same(monkeypatch) -> None:
    real = kernels.njit

    def no_cache(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(kernels, "njit", no_cache)
    assert kernels.compiled(lambda a: a + 1)(2) == 3


def test_blend_wipes_what_it_has_used() -> None:
    cover = np.zeros(16, np.uint8)
    cover[[1, 9]] = 255, 51
    image = np.full((15, 3), 200, np.uint8)
    kernels.blend(cover, np.array([0, 100, 200], np.uint8), image, True)
    assert not cover.any()
    assert image[1].tolist() == [0, 100, 200]
    assert image[9].tolist() == [160, 180, 200]
    assert (image[[0, 2, 8, 14]] == 200).all()


def test_stamps_are_cut_at_the_edges() -> None:
    image = np.full((4, 4, 3), 255, np.uint8)
    kernels.stamp(np.full((3, 3), 255, np.uint8), -2, 2, np.zeros(3, np.uint8), image)
    assert (image[0, 2:] == 0).all()
    assert (image[1:] == 255).all()
    assert (image[0, :2] == 255).all()
