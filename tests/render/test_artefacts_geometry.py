"""Where things are after several artefacts: points, boxes and masks move with the picture."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.render.artefacts import ARTEFACTS, PRESETS, Warp, apply
from ecgvision.render.artefacts.warp import Projective
from ecgvision.render.draw import draw
from experiments.bench.beats import beats

NAMES = [*PRESETS, *ARTEFACTS]
SHAPES = [name for name, artefact in ARTEFACTS.items() if artefact.stage == "shape"]
SIGMA = 1.6  # of a dot in pixels: wide enough that sampling does not move its centre


def dotted(size: tuple[int, int], spacing: int = 32) -> tuple[NDArray[np.uint8], np.ndarray]:
    """A map of soft dots at places that fall anywhere within their pixels, and those places."""
    height, width = size
    rng = np.random.default_rng(4)
    x, y = np.meshgrid(np.arange(24, width - 20, spacing), np.arange(24, height - 20, spacing))
    points = np.stack([x.ravel(), y.ravel()], axis=-1) + rng.random((x.size, 2))
    across = np.arange(width) + 0.5
    down = np.arange(height) + 0.5
    cover = np.zeros(size)
    for px, py in points:
        cover += np.outer(
            np.exp(-((down - py) ** 2) / (2 * SIGMA**2)),
            np.exp(-((across - px) ** 2) / (2 * SIGMA**2)),
        )
    return np.clip(cover * 255, 0, 255).astype(np.uint8), points


def centres(cover: np.ndarray, near: np.ndarray, reach: int = 9) -> np.ndarray:
    """(N, 2) centre of mass of what lies about each place; NaN where it is not wholly shown."""
    found = np.full(near.shape, np.nan)
    height, width = cover.shape
    for i, (x, y) in enumerate(np.floor(near).astype(int)):
        if reach < x < width - reach - 1 and reach < y < height - reach - 1:
            part = cover[y - reach : y + reach + 1, x - reach : x + reach + 1].astype(float)
            if part.sum() > 0:
                total = part.sum()
                span = np.arange(-reach, reach + 1) + 0.5
                found[i] = x + (part.sum(0) @ span) / total, y + (part.sum(1) @ span) / total
    return found


def errors(cover: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Distances between places and centres, of the dots that are wholly shown."""
    found = np.linalg.norm(centres(cover, moved) - moved, axis=1)
    return found[np.isfinite(found)]


@given(
    name=st.sampled_from([*SHAPES, "scan", "photo", "crumpled", "hard"]),
    seed=st.integers(0, 10_000),
    strength=st.floats(0.05, 1.0),
    size=st.tuples(st.integers(97, 260), st.integers(97, 260)),
)
def test_dots_of_the_mask_lie_where_the_warp_says(name, seed, strength, size) -> None:
    mask, points = dotted(size)
    white = np.full((*size, 3), 255, np.uint8)
    picture = apply(name, white, seed=seed, strength=strength, mask=mask, dpi=30)
    found = errors(picture.mask, picture.warp(points))
    assert found.size > 0 or name == "cut"  # what is left of a small page may hold no dot
    assert found.max(initial=0) < 0.3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(301, 401), (400, 300)], ids=str)
def test_dots_of_the_picture_lie_where_the_warp_says(name, size) -> None:
    cover, points = dotted(size)
    image = np.repeat(255 - cover[..., None], 3, axis=2)
    for seed in range(3):
        picture = apply(name, image, seed=seed, strength=0.7, mask=cover, dpi=80)
        grey = picture.image.mean(axis=2)
        moved = picture.warp(points)
        level = cv2.medianBlur(picture.image, 25).mean(axis=2)
        found = errors(np.clip(level - grey - 25, 0, None), moved)
        assert found.size > 10
        assert np.median(found) < 0.35  # dust, stamps and dots of toner may lie on single ones
        assert errors(picture.mask, moved).max() < 0.3


@pytest.mark.parametrize("name", SHAPES)
def test_the_picture_shows_every_dot_of_a_shape(name) -> None:
    size = (301, 401)
    cover, points = dotted(size)
    image = np.repeat(255 - cover[..., None], 3, axis=2)
    for seed in range(4):
        picture = apply(name, image, seed=seed, strength=1.0, dpi=60)
        moved = picture.warp(points)
        level = cv2.medianBlur(picture.image, 25).mean(axis=2)
        found = errors(np.clip(level - picture.image.mean(axis=2) - 25, 0, None), moved)
        assert np.quantile(found, 0.9) < 0.35  # a crease may shade half of a dot


@given(
    name=st.sampled_from([*SHAPES, *PRESETS]),
    seed=st.integers(0, 10_000),
    strength=st.floats(0.0, 1.0),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    dpi=st.floats(5, 300),
)
def test_there_and_back_and_never_mirrored(name, seed, strength, size, dpi) -> None:
    """Whatever the size and resolution: the warp can be undone and keeps its orientation."""
    picture = apply(name, np.full((*size, 3), 200, np.uint8), seed=seed, strength=strength, dpi=dpi)
    height, width = size
    assert picture.image.shape == (*picture.warp.size, 3)
    points = np.random.default_rng(seed).random((50, 2)) * (width, height)
    moved = picture.warp(points)
    np.testing.assert_allclose(picture.warp.back(moved), points, atol=1e-4)
    step = 1e-3
    right = picture.warp(points + (step, 0)) - moved
    down = picture.warp(points + (0, step)) - moved
    assert (right[:, 0] > 0).all()  # time from left to right
    assert (down[:, 1] > 0).all()  # and up is up
    assert (right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0] > 0).all()


def test_what_is_not_finite_stays_so() -> None:
    picture = apply("photo", np.full((60, 80, 3), 255, np.uint8), seed=3, dpi=20)
    points = np.array([[[1.0, 2.0], [np.nan, 2.0]], [[np.inf, 1.0], [5.0, 6.0]]])
    moved = picture.warp(points)
    assert moved.shape == points.shape
    assert np.isnan(moved[0, 1]).all()
    assert np.isnan(moved[1, 0]).all()
    np.testing.assert_allclose(moved[1, 1], picture.warp(np.array([5.0, 6.0])))
    assert picture.warp(np.empty((0, 2))).shape == (0, 2)


def test_warps_follow_each_other() -> None:
    double = Warp((10, 20), (20, 40), (Projective(np.diag([2.0, 2.0, 1.0])),))
    shift = Warp((20, 40), (20, 40), (Projective(np.array([[1, 0, 3], [0, 1, -1], [0, 0, 1.0]])),))
    both = double.then(shift)
    assert both.size == (20, 40)
    np.testing.assert_allclose(both(np.array([1.0, 2.0])), [5.0, 3.0])
    np.testing.assert_allclose(both.back(np.array([5.0, 3.0])), [1.0, 2.0])
    assert both.scale == pytest.approx(2.0)
    with pytest.raises(ConfigError, match="another size"):
        shift.then(double)
    with pytest.raises(ConfigError, match="shape"):
        shift(np.zeros((4, 3)))


@pytest.fixture(scope="module")
def drawing():
    page = Page(get_layout("3x4+II"), dpi=72)
    signal = beats(250, 2)
    signal[1, 200:260] = np.nan
    return draw(signal, 250.0, page, mask=True)


def likeness(found: np.ndarray, wanted: np.ndarray, dx: float, dy: float) -> float:
    """Correlation of one map with another that is moved."""
    shift = np.array([[1, 0, dx], [0, 1, dy]], np.float64)
    moved = cv2.warpAffine(wanted, shift, wanted.shape[::-1])
    return float(np.corrcoef(found.ravel(), moved.ravel())[0, 1])


@pytest.mark.parametrize("name", ["scan", "fax", "photocopy", "photo", "crumpled", "hard", "crop"])
def test_the_trace_of_a_page_runs_through_its_moved_points(name, drawing) -> None:
    """The moved mask is the trace drawn anew through the moved points, by OpenCV's own lines."""
    for seed in (1, 4):
        picture = apply(name, drawing.image, seed=seed, mask=drawing.mask, dpi=72)
        geometry = drawing.geometry.moved(picture.warp)
        again = np.zeros(picture.warp.size, np.uint8)
        for cell in geometry.cells:
            finite = np.isfinite(cell.points[:, 1])
            for run in np.split(cell.points, np.flatnonzero(np.diff(finite)) + 1):
                if np.isfinite(run).all():
                    line = np.round((run - 0.5) * 16).astype(np.int32)  # OpenCV's centres
                    cv2.polylines(again, [line], False, 255, 1, cv2.LINE_AA, 4)
        found, wanted = picture.mask.astype(float), again.astype(float)

        best = likeness(found, wanted, 0, 0)
        assert best > 0.9
        for dx, dy in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)):
            assert likeness(found, wanted, dx, dy) < best


def test_moved_boxes_hold_what_they_held(drawing) -> None:
    for name in ("photo", "crumpled", "hard", "screenshot", "crop"):
        picture = apply(name, drawing.image, seed=6, dpi=72)
        geometry = drawing.geometry.moved(picture.warp)
        assert geometry.size == picture.image.shape[:2]
        assert len(geometry.cells) == len(drawing.geometry.cells)
        for old, new in zip(drawing.geometry.cells, geometry.cells, strict=True):
            left, top, right, bottom = new.box
            inside = new.points[np.isfinite(new.points[:, 1])]
            assert inside[:, 0].min() >= left - 0.5
            assert inside[:, 0].max() <= right + 0.5
            assert inside[:, 1].min() >= top - 0.5
            assert inside[:, 1].max() <= bottom + 0.5
            corners = np.array([[old.label[i], old.label[j]] for i in (0, 2) for j in (1, 3)])
            for x, y in picture.warp(corners):
                assert new.label[0] - 1e-6 <= x <= new.label[2] + 1e-6
                assert new.label[1] - 1e-6 <= y <= new.label[3] + 1e-6
            assert new.box[3] - new.box[1] < 1.6 * (old.box[3] - old.box[1]) + 40


def test_moved_geometry_is_true_for_the_picture(drawing) -> None:
    page = drawing.geometry.page
    half = Warp(page.size, (306, 396), (Projective(np.diag([0.5, 0.5, 1.0])),))
    found = drawing.geometry.moved(half).to_dict()
    before = drawing.geometry.to_dict()
    assert found["size"] == [306, 396]
    assert found["px_per_mm"] == pytest.approx(before["px_per_mm"] / 2)
    assert found["dpi"] == pytest.approx(36)
    for old, new in zip(before["leads"], found["leads"], strict=True):
        assert new["baseline"] == pytest.approx(old["baseline"] / 2, abs=0.01)
        assert new["box"] == pytest.approx([v / 2 for v in old["box"]], abs=0.01)
        assert new["label_box"] == pytest.approx([v / 2 for v in old["label_box"]], abs=0.01)
        assert new["points"][5] == pytest.approx([v / 2 for v in old["points"][5]], abs=0.01)
        start, stop = new["baseline_points"][0], new["baseline_points"][-1]
        assert start == pytest.approx([new["box"][0], new["baseline"]], abs=0.01)
        assert stop == pytest.approx([new["box"][2], new["baseline"]], abs=0.01)
    json.dumps(found, allow_nan=False)
    twice = drawing.geometry.moved(half).moved(Warp((306, 396), (306, 396)))
    assert twice.to_dict() == found
    still = drawing.geometry.moved(Warp(page.size, page.size)).to_dict()
    for lead in still["leads"]:
        del lead["baseline_points"]
    for lead in [*still["leads"], *before["leads"]]:  # a gap has an x on the page only
        lead["points"] = [point for point in lead["points"] if None not in point]
    assert still["leads"] == before["leads"]
