"""Training crops of flat pages: their truth lies on the ink, and a seed determines them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ecgvision.reader.data.flat import crops, drawing
from ecgvision.reader.data.flat.crops import (
    MARK_SIDE,
    STRIP_WIDTH,
    MarkCrops,
    StripCrops,
    column_heights,
    cut,
    mark_truth,
)
from ecgvision.reader.layout.maps import MARKS, NAMES
from ecgvision.reader.layout.maps import PX_PER_MM as PAGE_PX
from ecgvision.reader.trace.strips import HEIGHT
from ecgvision.store.packed import Store
from tests.flat_pages import whole_page

SIDE = MARK_SIDE // PAGE_PX


@pytest.fixture
def unworn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops as they are drawn, of black lines on white."""
    monkeypatch.setattr(crops, "wear", lambda rng, image, px_per_mm: image)
    monkeypatch.setattr(crops, "bend", lambda rng, image, points, px_per_mm: (image, points))
    look = drawing.random_look

    def plain(rng: np.random.Generator, layout: str):
        from dataclasses import replace

        paper, style = look(rng, layout)
        bare = replace(style, grid=False, paper_rgb=(255, 255, 255), ink=(0, 0, 0), frame=False,
                       separators=False, lead_names=False, scale_text=False, pulse=False,
                       header="given", trace_pt=1.0)  # fmt: skip
        return replace(paper, style=bare), bare

    monkeypatch.setattr(drawing, "random_look", plain)
    monkeypatch.setattr(crops, "_beyond", lambda rng: 255)


def test_heights_of_strips_lie_on_the_ink(tiny_store: Path, unworn: None) -> None:
    off = []
    for image, y in islice(StripCrops([Store(tiny_store)], seed=3), 12):
        assert image.shape == (3, HEIGHT, STRIP_WIDTH)
        assert image.dtype == torch.uint8
        assert y.shape == (STRIP_WIDTH,)
        assert y.dtype == torch.float32
        ink = 255 - image.amax(0).numpy().astype(float)
        height = y.numpy()
        known = np.flatnonzero(np.isfinite(height) & (height > 4) & (height < HEIGHT - 4))
        for k in known:
            column = ink[int(height[k]) - 2 : int(height[k]) + 3, k]
            off.append(column.max())
        # columns where nothing is printed have no ink about
        blank = [k for k in range(3, STRIP_WIDTH - 3) if np.isnan(height[k - 3 : k + 4]).all()]
        assert all(ink[HEIGHT // 2 - 2 : HEIGHT // 2 + 3, k].max() < 255 for k in blank)
    assert len(off) > 500
    assert np.mean(np.array(off) > 60) > 0.98


def test_a_columns_height_is_the_mean_over_its_width() -> None:
    x = np.arange(0, 40, 0.25)
    line = np.stack([x, 3 * x + 1], axis=1)
    gap = line.copy()
    gap[60:80, 1] = np.nan  # x from 15 to 20
    for points in (line, gap):
        cell = SimpleNamespace(points=points)
        middles = 2 + np.arange(30) + 0.5
        found = column_heights([cell], middles, 1.0)
        wanted = 3 * middles + 1
        known = np.isfinite(found)
        assert found[known] == pytest.approx(wanted[known])
        assert known.sum() == (30 if points is line else 30 - 6)
    assert np.isnan(column_heights([SimpleNamespace(points=None)], np.arange(5.0), 1.0)).all()
    second = SimpleNamespace(points=np.array([[50.0, 7.0], [60.0, 7.0]]))
    both = column_heights([SimpleNamespace(points=line), second], np.arange(70) + 0.5, 1.0)
    assert both[5] == pytest.approx(17.5)
    assert both[55] == 7
    assert np.isnan(both[[45, 65]]).all()


@pytest.mark.parametrize(("top", "left"), [(0, 0), (100, 300), (-60, -60), (500, 700)])
def test_rows_names_and_pulses_lie_where_they_are_printed(top: int, left: int) -> None:
    drawn, page, style = whole_page("3x4:cabrera", "kit", dpi=25.4 * PAGE_PX)
    kind, row, offset, start, end = mark_truth(page, style, drawn.geometry.cells, top, left)
    assert {v.shape for v in (kind, row, offset, start, end)} == {(SIDE, SIDE)}
    middles = np.arange(SIDE) + 0.5
    across, down = middles + left / PAGE_PX, middles + top / PAGE_PX  # in mm of the page

    lines = {round(page.size[0] / PAGE_PX - page.baseline_mm(c), 6) for c in page.cells}
    first, last = page.trace_mm, page.trace_mm + 250
    wanted = np.zeros((SIDE, SIDE))
    for y in lines:
        wanted[np.ix_(np.abs(down - y) <= 1, (across > first) & (across < last))] = 1
    assert (row != wanted).sum() <= 3 * 4 * len(lines)  # but for the outermost columns
    known = np.isfinite(offset)
    assert known[row > 0].all()
    j, i = np.nonzero(known)
    nearest = [min(lines, key=lambda y: abs(y - down[k])) for k in j]
    assert offset[j, i] == pytest.approx(np.array(nearest) - down[j], abs=1e-4)

    boxes = {page.cells[c.index].label: c.label for c in drawn.geometry.cells}
    for name, box in boxes.items():
        x, y = (box[0] + box[2]) / 2 / PAGE_PX, (box[1] + box[3]) / 2 / PAGE_PX
        inside = np.ix_(np.abs(down - y) <= 0.5, np.abs(across - x) <= 0.5)
        assert (kind[inside] == NAMES.index(name)).all()
    pulses = (kind == MARKS.index("pulse")).sum()
    inside = [y for y in lines if abs(y - page.gain / 2 - down.mean()) < SIDE / 2 - 3]
    if across[0] < page.left_mm < across[-1]:
        assert pulses >= 9 * len(inside)
    else:
        assert pulses == 0
    for edge, shift in ((start, 0.0), (end, 62.5)):
        at = across[np.flatnonzero(edge.any(0))]
        marks = np.array([first + shift + 62.5 * k for k in range(4)])
        assert all(np.abs(marks - x).min() < 1.5 for x in at)
        assert len(at) >= sum(across[0] < x < across[-1] for x in marks)


def test_mark_crops_are_whole(tiny_store: Path) -> None:
    for image, kind, row, offset, start, end in islice(MarkCrops([Store(tiny_store)], seed=1), 6):
        assert image.shape == (3, MARK_SIDE, MARK_SIDE)
        assert image.dtype == torch.uint8
        assert kind.dtype == torch.int64
        assert 0 <= int(kind.min()) <= int(kind.max()) <= len(MARKS)
        for value in (row, start, end):
            assert set(value.unique().tolist()) <= {0.0, 1.0}
        near = offset[offset.isfinite()]
        assert (near.abs() <= 2.5).all()
        assert offset[row > 0].isfinite().all()


@pytest.mark.parametrize("kind", [MarkCrops, StripCrops])
def test_a_stream_depends_on_seed_and_worker_alone(
    kind: type, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first(seed: int, worker: int | None = None) -> list[torch.Tensor]:
        info = None if worker is None else SimpleNamespace(id=worker)
        monkeypatch.setattr(crops, "get_worker_info", lambda: info)
        return list(next(iter(kind([Store(tiny_store)], seed=seed))))

    def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
        return all(
            torch.equal(x.nan_to_num(-1.0), y.nan_to_num(-1.0)) for x, y in zip(a, b, strict=True)
        )

    here = first(4)
    np.random.seed(1)  # noqa: NPY002  nothing of the process counts
    assert same(here, first(4))
    assert same(here, first(4, 0))  # one worker draws what the process itself would
    assert not same(here, first(5))
    assert not same(here, first(4, 1))


def test_only_the_records_that_are_given_are_drawn(tiny_store: Path) -> None:
    store = Store(tiny_store)
    rng = np.random.default_rng(0)
    some = MarkCrops([store, store], [np.array([3, 5]), np.array([7])])
    assert {some.record(rng)[1] for _ in range(60)} == {3, 5, 7}
    assert len(MarkCrops([store]).records) == len(store)


@pytest.mark.parametrize(("top", "left"), [(0, 0), (-5, -3), (7, 30), (-100, 0), (0, 200)])
def test_a_crop_beyond_the_page_is_of_one_level(top: int, left: int) -> None:
    image = np.random.default_rng(0).integers(0, 200, (20, 40, 3), dtype=np.uint8)
    wide = np.full((320, 340, 3), 250, np.uint8)
    wide[150:170, 150:190] = image
    wanted = (
        wide[150 + top : 162 + top, 150 + left : 166 + left]
        if left < 170
        else np.full((12, 16, 3), 250)
    )
    found = cut(image, top, left, (12, 16), 250)
    assert found.shape == (12, 16, 3)
    np.testing.assert_array_equal(found, wanted if wanted.shape == found.shape else 250)
