"""The paper found by its grid, in pictures that a known camera takes of drawn pages."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest

from ecgvision.reader.rectify.paper import Paper, find_paper
from ecgvision.render.draw import draw
from tests.flat_pages import SHEET_MM, Camera, misplaced, small_page, waves

SHOTS = {
    "flat": ("kit", {"px_per_mm": 5.9, "margin": (60, 20, 33, 71)}),
    "coarse": ("muse", {"px_per_mm": 2.95, "degrees": 9.0, "margin": (20, 40, 10, 5)}),
    "fine": ("eli", {"px_per_mm": 8.0, "degrees": -22.0, "margin": (10, 0, 0, 30)}),
    "tilted": ("muse", {"px_per_mm": 5.0, "degrees": 38.0, "tilt": (0.1, -0.12)}),
    "upright": ("upright", {"px_per_mm": 4.5, "degrees": -12.0, "tilt": (-0.08, 0.05),
                            "margin": (50, 5, 20, 40), "bend": 1.5}),
    "creased": ("kit", {"px_per_mm": 5.0, "degrees": 6.0, "bend": 1.0, "crease": 0.08,
                        "margin": (30, 30, 30, 30)}),
    "grey": ("bw", {"px_per_mm": 5.9, "degrees": -38.0, "margin": (5, 5, 90, 5)}),
}  # fmt: skip


@lru_cache(maxsize=8)
def shot(name: str) -> tuple[np.ndarray, Camera, np.ndarray, Paper | None]:
    kind, given = SHOTS[name]
    drawn, _, _ = small_page(kind)
    camera = Camera(SHEET_MM, **given)
    picture = camera.take(drawn.image)
    return drawn.image, camera, picture, find_paper(picture)


@pytest.mark.parametrize("name", SHOTS)
def test_nodes_are_where_the_camera_saw_them(name: str) -> None:
    _, camera, _, paper = shot(name)
    assert paper is not None
    assert paper.score > 0.8
    on_page = camera.to_page(paper.mesh.nodes)
    off = np.abs(misplaced(paper.mesh, on_page)).max(1)
    # the outermost lines of these pages lie on the paper's very edge, beside the dark table
    inner = ((on_page > 2.5) & (on_page < np.array(SHEET_MM[::-1]) - 2.5)).all(-1)[paper.mesh.seen]
    assert inner.mean() > 0.8
    assert (off[inner] < 0.3).mean() >= 0.99
    assert (off < 0.3).mean() > 0.95
    height, width = SHEET_MM
    assert paper.mesh.seen.sum() > 0.9 * (height / 5 - 1) * (width / 5 - 1)


@pytest.mark.parametrize("name", ["tilted", "creased"])
def test_the_flat_page_is_the_page_that_was_drawn(name: str) -> None:
    drawing, camera, picture, paper = shot(name)
    mesh = paper.mesh
    flat = mesh.flatten(picture, 4.0)[..., 1].astype(float)
    rows, columns = np.indices(mesh.seen.shape)
    off = 5.0 * np.stack([columns, rows], -1) - camera.to_page(mesh.nodes)
    x, y = (5 * np.round(np.median(off[mesh.seen], axis=0) / 5)).astype(int)  # the page's corner
    height, width = (round(4 * mm) for mm in SHEET_MM)
    wanted = cv2.resize(drawing, (width, height), interpolation=cv2.INTER_AREA)[..., 1].astype(
        float
    )
    found = flat[4 * y : 4 * y + height, 4 * x : 4 * x + width]
    assert found.shape == wanted.shape
    inner = np.s_[24:-24, 24:-24]
    a, b = (cv2.GaussianBlur(v, (0, 0), 0.8)[inner].ravel() for v in (found, wanted))
    assert np.corrcoef(a, b)[0, 1] > 0.9
    shifted = np.roll(wanted, 4, axis=1)  # of a millimetre's error the correlation knows
    c = cv2.GaussianBlur(shifted, (0, 0), 0.8)[inner].ravel()
    assert np.corrcoef(a, c)[0, 1] < 0.8


def test_a_page_has_the_same_places_at_any_resolution() -> None:
    """Drawn once and averaged down, so that nothing but the pixels differs."""
    _, page, style = small_page("muse")
    image = draw(waves(), 500.0, replace(page, dpi=600.0), style).image
    places = []
    for dpi in (72, 100, 150, 600):
        size = tuple(round(mm / 25.4 * dpi) for mm in reversed(SHEET_MM))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        mesh = find_paper(small).mesh
        mm = (mesh.nodes + 0.5) / [size[0] / SHEET_MM[1], size[1] / SHEET_MM[0]]
        off = misplaced(mesh, mm)
        assert np.percentile(np.abs(off), 99) < 0.2
        places.append(np.median(off, axis=0))
    assert np.ptp(places, axis=0).max() < 0.1


def without_grid(kind: str) -> np.ndarray:
    rng, (height, width) = np.random.default_rng(0), (420, 560)
    y, x = np.mgrid[:height, :width]
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "photo":
        level = 120 + 60 * np.sin(x / 90) + 40 * np.cos(y / 70) + rng.normal(0, 3, (height, width))
    elif kind == "stripes":
        level = np.where(x % 20 < 2, 90, 230)
    else:
        level = np.full((height, width), 200)
    return np.repeat(level.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("kind", ["noise", "photo", "stripes", "blank"])
def test_without_a_grid_there_is_no_paper(kind: str) -> None:
    assert find_paper(without_grid(kind)) is None


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (60, 60)])
def test_a_tiny_picture_is_no_paper(size: tuple[int, int]) -> None:
    assert find_paper(np.full((*size, 3), 220, np.uint8)) is None
