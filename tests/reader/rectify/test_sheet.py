"""How a sheet lies in its picture, on drawn pages that a known camera takes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.reader.rectify.grid_dewarp import find_sheet
from ecgvision.reader.rectify.sheet import ORDERS, Sheet
from ecgvision.render.draw import draw
from ecgvision.store.packed import Store

SIZE = HEIGHT, WIDTH = 576, 768
CORNERS = {
    "from above": [[0, 0], [1, 0], [1, 1], [0, 1]],
    "turned": [[0.04, 0.0], [1.0, 0.05], [0.96, 1.0], [0.0, 0.95]],
    "from the left": [[0.02, 0.02], [0.95, 0.08], [0.96, 0.9], [0.02, 0.98]],
    "from below": [[0.08, 0.1], [0.93, 0.07], [0.99, 0.95], [0.02, 0.94]],
}
"""Of the page, in the picture."""


class Shot:
    """A picture of a page: `image` (1, 3, HEIGHT, WIDTH), and which point of the page is at a point
    of it. `bend`: mm that the page's upper and lower edge are pushed to the right."""

    def __init__(
        self, store: Path, corners: str, *, bend: float = 0.0, speed: float = 25.0
    ) -> None:
        self.page = Page(get_layout("3x4+II"), dpi=100, speed=speed)
        drawn = draw(Store(store).read(1), 100.0, self.page).image
        height, width = drawn.shape[:2]
        from_page = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
        to = np.float32(CORNERS[corners]) * np.float32([WIDTH, HEIGHT])
        self.matrix = cv2.getPerspectiveTransform(to, from_page)
        self.bend = bend * self.page.px_per_mm
        y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
        found = self.on_page(np.stack([x, y], axis=-1)).astype(np.float32)
        small = cv2.GaussianBlur(drawn, (0, 0), 0.4 * width / WIDTH)
        picture = cv2.remap(small, found[..., 0] - 0.5, found[..., 1] - 0.5, cv2.INTER_LINEAR,
                            borderValue=(90, 80, 70))  # fmt: skip
        self.image = torch.from_numpy(picture).permute(2, 0, 1)[None]

    def on_page(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) of the picture as pixels of the page."""
        flat = cv2.perspectiveTransform(pixels.reshape(-1, 1, 2).astype(np.float64), self.matrix)
        x, y = flat.reshape(pixels.shape)[..., 0], flat.reshape(pixels.shape)[..., 1]
        height = self.page.paper_mm[0] * self.page.px_per_mm
        return np.stack([x - self.bend * (2 * y / height - 1) ** 2, y], axis=-1)

    @property
    def time_scale(self) -> float:
        """What fraction of the picture's width 10 s take in its middle."""
        step = np.array([[WIDTH / 2 - 1, HEIGHT / 2], [WIDTH / 2 + 1, HEIGHT / 2]])
        pixels = self.on_page(step)[:, 0]
        return 10 * self.page.speed * self.page.px_per_mm * 2 / (pixels[1] - pixels[0]) / WIDTH


def miss(shot: Shot, time_scale: float) -> tuple[bool, float, float]:
    """Whether a grid was seen, and by how many ms of 25 mm/s at most a sheet laid flat is wrong
    across and down, but for where it begins."""
    sheet = find_sheet(shot.image, torch.tensor([time_scale]), 10.0)
    y, x = np.mgrid[0.15:0.85:9j, 0.1:0.9:9j]
    points = np.stack([x, y], axis=-1)
    flat = sheet.flat(torch.from_numpy(points)[None])[0].numpy()
    mm = shot.on_page(points * [WIDTH, HEIGHT]) / shot.page.px_per_mm
    found = flat * [WIDTH, HEIGHT] * 10 * shot.page.speed / (time_scale * WIDTH)
    off = found - mm
    off = np.abs(off - np.median(off, axis=(0, 1))).max(axis=(0, 1)) * 1000 / 25
    return bool(sheet.seen), float(off[0]), float(off[1])


@pytest.mark.parametrize("corners", CORNERS)
def test_a_page_is_laid_flat(tiny_store, corners: str) -> None:
    shot = Shot(tiny_store, corners)
    for off in (-0.04, 0.0, 0.03):
        seen, across, down = miss(shot, shot.time_scale * (1 + off))
        assert seen
        assert across < 12
        assert down < 12


def test_so_is_a_page_that_bends_and_one_of_50_mm_a_second(tiny_store) -> None:
    bent = Shot(tiny_store, "from the left", bend=6.0)
    assert miss(bent, bent.time_scale)[0]
    assert max(miss(bent, bent.time_scale)[1:]) < 20
    fast = Shot(tiny_store, "turned", speed=50.0)
    assert miss(fast, fast.time_scale)[0]
    assert max(miss(fast, fast.time_scale)[1:]) < 12


def test_a_grid_is_taken_near_the_pace_that_is_given_and_not_far_from_it(tiny_store) -> None:
    shot = Shot(tiny_store, "turned")
    for off in (0.9, 0.95, 1.1):
        sheet = find_sheet(shot.image, torch.tensor([off * shot.time_scale]), 10.0)
        assert sheet.seen
        assert float(sheet.table[0, 0, 1, 0]) == pytest.approx(off, rel=1e-3)
    for off in (0.8, 1.2, 1.25):
        assert not find_sheet(shot.image, torch.tensor([off * shot.time_scale]), 10.0).seen


def test_without_a_grid_a_point_is_where_it_is(tiny_store) -> None:
    shot = Shot(tiny_store, "from above")
    points = torch.rand(1, 6, 2, dtype=torch.float64)
    noise = torch.randint(0, 256, shot.image.shape, generator=torch.Generator().manual_seed(0))
    blank = torch.full_like(shot.image, 230)
    small = shot.image[:, :, :192, :256]
    for page in (blank, noise.to(torch.uint8), small):
        sheet = find_sheet(page, torch.tensor([shot.time_scale]), 10.0)
        assert not sheet.seen
        torch.testing.assert_close(sheet.flat(points), points)
        torch.testing.assert_close(sheet.bent(points), points)
        up = sheet.up(points)
        torch.testing.assert_close(up, torch.tensor([0.0, -1.0]).double().expand_as(up))


def test_pages_are_measured_each_by_itself(tiny_store) -> None:
    a, b = Shot(tiny_store, "turned"), Shot(tiny_store, "from below")
    blank = torch.full_like(a.image, 128)
    time_scales = torch.tensor([a.time_scale, 0.8, b.time_scale])
    both = find_sheet(torch.cat([a.image, blank, b.image]), time_scales, 10.0)
    assert both.seen.tolist() == [True, False, True]
    for i, shot in ((0, a), (2, b)):
        alone = find_sheet(shot.image, torch.tensor([shot.time_scale]), 10.0)
        torch.testing.assert_close(both.table[i], alone.table[0], atol=1e-5, rtol=0)


@given(seed=st.integers(0, 2**16))
def test_there_and_back_and_up(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    power = torch.arange(ORDERS)
    power = power + power[:, None]
    size = (0.08 / power.clamp(min=1).square()) * (power < ORDERS)  # of photographs' bends
    table = size * (2 * torch.rand(3, 2, ORDERS, ORDERS, generator=g) - 1)
    table[:, 0, 1, 0] += 1
    table[:, 1, 0, 1] += 1
    sheet = Sheet(table.double(), torch.ones(3, dtype=torch.bool), HEIGHT / WIDTH)
    points = torch.rand(3, 4, 5, 2, generator=g).double()
    torch.testing.assert_close(sheet.flat(sheet.bent(points)), points, atol=1e-9, rtol=0)
    there = sheet.bent(points)
    higher = points - torch.tensor([0.0, 1e-5])
    moved = (sheet.bent(higher) - there) / 1e-5
    torch.testing.assert_close(sheet.up(there), moved, atol=1e-3, rtol=0)
