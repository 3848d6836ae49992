"""Drawn pages, a camera whose map is known, and the two networks' answers as they should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.reader.layout.maps import MARKS, PageMaps
from ecgvision.reader.rectify.mesh import Mesh
from ecgvision.reader.trace.strips import HEIGHT, PX_PER_MM
from ecgvision.render.draw import Drawing, draw
from ecgvision.render.papers.catalogue import get_paper
from ecgvision.render.style import Style
from tests.conftest import RATE, beats

SHEET_MM = (105.0, 150.0)
"""Of a small page: whole squares, so that a frame lies on grid lines, and more than 100 of 1 mm."""


def signal(seed: int = 0, seconds: float = 10.0, rate: float = RATE) -> NDArray[np.float32]:
    return beats(np.random.default_rng(seed), 1, seconds, rate)


def waves(seconds: float = 10.0, rate: float = 500.0) -> NDArray[np.float32]:
    """Twelve leads at most 0.8 mV high that nowhere run along a line of the grid."""
    time = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(5)
    parts = [0.2 * np.sin(2 * np.pi * (rng.uniform(0.5, 2.5, (12, 1)) * time + rng.random((12, 1))))
             for _ in range(4)]  # fmt: skip
    return np.sum(parts, axis=0).astype(np.float32)


@lru_cache(maxsize=16)
def small_page(kind: str = "kit", dpi: float = 150.0) -> tuple[Drawing, Page, Style]:
    """A page of a paper's look on a small sheet."""
    style = get_paper(kind).style
    page = Page(get_layout("3x4+II"), dpi=dpi, paper_mm=SHEET_MM)
    return draw(waves(), 500.0, page, style), page, style


@lru_cache(maxsize=16)
def whole_page(
    layout: str = "3x4+II", kind: str = "kit", dpi: float = 100.0, seed: int = 0, **given: Any
) -> tuple[Drawing, Page, Style]:
    """A page of ten seconds at 25 mm/s, with columns apart at least in what they print."""
    paper = get_paper(kind)
    style = replace(paper.style, separators=False, ink=(0, 0, 0))
    page = paper.page(layout, dpi=dpi, **{"speed": 25.0, "gain": 10.0} | given)
    return draw(signal(seed), RATE, page, style), page, style


STEP = 4
"""Pixels between the places of a picture for which a camera's map is computed."""


class Camera:
    """A known map from millimetres of a page, from its upper left corner, to pixels of a picture.

    The paper is bent within its plane, laid on a table, turned, and seen in perspective.

    Args:
        px_per_mm: resolution about the middle.
        degrees: turn to the left.
        tilt: of the perspective, relative change of scale over 100 mm across and down.
        margin: of the table around the page, in pixels: left, top, right, bottom.
        bend: size of a smooth displacement in mm.
        crease: change of scale on the far side of an oblique fold.
    """

    def __init__(
        self, size_mm: Sequence[float], px_per_mm: float, *, degrees: float = 0.0,
        tilt: Sequence[float] = (0.0, 0.0), margin: Sequence[float] = (0, 0, 0, 0),
        bend: float = 0.0, crease: float = 0.0,
    ) -> None:  # fmt: skip
        self.height, self.width = size_mm
        self.bend, self.crease = bend, crease
        turn = math.radians(degrees)
        c, s = math.cos(turn) * px_per_mm, math.sin(turn) * px_per_mm
        x, y = self.width / 2, self.height / 2
        centre = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
        across, down = (v / 100 for v in tilt)
        matrix = np.array([[c, s, 0], [-s, c, 0], [across, down, 1]]) @ centre
        self.matrix = matrix
        edge = np.linspace(0, 1, 21)
        outline = np.concatenate([np.stack([a, b], -1) for a, b in (
            (edge, 0 * edge), (edge, 0 * edge + 1), (0 * edge, edge), (0 * edge + 1, edge)
        )]) * [self.width, self.height]  # fmt: skip
        seen = self.to_picture(outline)
        low, high = seen.min(0), seen.max(0)
        shift = np.array([margin[0], margin[1]]) - 0.5 - low
        self.matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]]) @ matrix
        wide = high - low + [margin[0] + margin[2], margin[1] + margin[3]]
        self.size = math.ceil(wide[1]), math.ceil(wide[0])

    def _moved(self, mm: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = mm[..., 0] / 60, mm[..., 1] / 60
        smooth = self.bend * np.stack([np.sin(1.3 * y + 0.4 * x), np.cos(1.1 * x - 0.3 * y)], -1)
        along = np.array([0.28, 0.96])  # normal of the fold
        away = (mm - np.array([self.width, self.height]) / 2) @ along
        return smooth + self.crease * np.maximum(away, 0)[..., None] * along

    def to_picture(self, mm: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels of points of the page, (0, 0) in the middle of the first pixel."""
        mm = np.asarray(mm, np.float64)
        flat = (mm + self._moved(mm)).reshape(-1, 1, 2)
        return cv2.perspectiveTransform(flat, self.matrix).reshape(mm.shape)

    def to_page(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """The inverse, by iteration: what the paper bends by changes little over what it bends."""
        given = np.asarray(pixels, np.float64)
        flat = cv2.perspectiveTransform(given.reshape(-1, 1, 2), np.linalg.inv(self.matrix))
        flat = flat.reshape(given.shape)
        found = flat
        for _ in range(12):
            found = flat - self._moved(found)
        return found

    def take(self, drawing: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
        """The picture of a drawn page on a table; four samples for each of its pixels."""
        height, width = self.size
        y, x = np.mgrid[: height + STEP : STEP, : width + STEP : STEP]
        mm = self.to_page(np.stack([x, y], axis=-1))  # in between, the map is all but linear
        scale = np.array([drawing.shape[1] / self.width, drawing.shape[0] / self.height])
        fine_y, fine_x = np.mgrid[: 2 * height, : 2 * width].astype(np.float32) / 2 - 0.25
        at = cv2.remap((mm * scale - 0.5).astype(np.float32), fine_x / STEP, fine_y / STEP,
                       cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        rng = np.random.default_rng(seed)
        table = rng.normal(0, 1, (height // 40 + 2, width // 40 + 2)).astype(np.float32)
        table = 95 + 12 * cv2.resize(table, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
        table = np.repeat(table.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
        fine = cv2.remap(drawing, at[..., 0], at[..., 1], cv2.INTER_LINEAR, dst=table.copy(),
                         borderMode=cv2.BORDER_TRANSPARENT)  # fmt: skip
        return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def misplaced(mesh: Mesh, on_page: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2): by how many mm each node that was seen is off, apart from a shift by whole squares.

    Args:
        on_page: (rows, columns, 2) mm of the nodes on the page, by the known map.
    """
    rows, columns = np.indices(mesh.seen.shape)
    off = on_page - 5.0 * np.stack([columns, rows], axis=-1)
    off = off[mesh.seen]
    return off - 5 * np.round(np.median(off, axis=0) / 5)


def blank_maps(size: Sequence[int]) -> PageMaps:
    """Maps of a page on which nothing is seen; (height, width) in mm."""
    marks = np.zeros((len(MARKS), *size), np.float32)
    return PageMaps(marks, *(np.zeros(size, np.float32) for _ in range(4)))


def dark_ink(strips: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The answers of a tracer for black print on coloured lines: the middle of a column's ink, of
    which nothing but one trace is within 15 mm of the row's line."""
    ink = 1 - strips.max(axis=1).astype(np.float64) / 255  # (B, H, W)
    ink = np.where(ink > 0.15, ink, 0)
    ink[:, : HEIGHT // 2 - 15 * PX_PER_MM] = ink[:, HEIGHT // 2 + 15 * PX_PER_MM :] = 0
    middles = np.arange(ink.shape[1])[:, None] + 0.5
    logit = np.empty(ink.shape, np.float32)
    for k, page in enumerate(ink):
        mean = (page * middles).sum(0) / page.sum(0).clip(1e-9)
        logit[k] = -0.5 * ((middles - mean) / 0.8) ** 2
    printed = np.where(ink.sum(1) > 0.3, 20.0, -20.0).astype(np.float32)
    return logit, printed
