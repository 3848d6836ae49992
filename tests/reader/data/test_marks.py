"""Names and pulses: on the picture they are where they are said to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgvision.core.layouts import LAYOUTS, get_layout
from ecgvision.core.page import Page
from ecgvision.data.pages import PageSettings
from ecgvision.reader.data.marks import NAMES, NO_MARK, PULSES, page_marks
from ecgvision.reader.data.page_variation import PageVariation
from ecgvision.reader.data.pages import ReadingDataset
from ecgvision.render import artefacts
from ecgvision.render.artefacts import Warp
from ecgvision.render.draw import draw
from ecgvision.render.papers.catalogue import PAPERS
from ecgvision.store.packed import Store

FLAT = np.full((12, 1000), np.nan, np.float32)


def still(page: Page) -> Warp:
    return Warp(page.size, page.size)


def drawn(page: Page, style) -> np.ndarray:
    return draw(FLAT, 100.0, page, style, points=False).image.astype(int)


@pytest.mark.parametrize("name", ["kit", "muse", "cardiovit", "nordic", "cardiofax"])
def test_where_a_name_is_said_to_be_it_is_printed(name: str) -> None:
    """Without names the page differs there, and nowhere else."""
    paper = PAPERS[name]
    page = paper.page(paper.layouts[0], dpi=100)
    points, marks = page_marks(page, paper.style, still(page))
    differs = (drawn(page, paper.style) != drawn(page, replace(paper.style, lead_names=False))).any(
        -1
    )
    named = marks < len(NAMES)
    assert [NAMES[m] for m in marks[named]] == [c.label for c in page.cells]
    for x, y in points[named]:
        x0, y0 = round(x), round(y)
        assert differs[y0 - 9 : y0 + 9, x0 - 18 : x0 + 18].any()
        differs[y0 - 12 : y0 + 12, x0 - 30 : x0 + 30] = False
    assert not differs.any()


@pytest.mark.parametrize("pulse", PULSES)
def test_a_pulse_stands_at_the_foot_of_every_row(pulse: tuple[float, float]) -> None:
    gain, speed = pulse
    style = PAPERS["plain"].style
    page = Page(get_layout("3x4+II"), dpi=120, gain=gain, speed=speed)
    points, marks = page_marks(page, style, still(page))
    found = points[(marks >= len(NAMES)) & (marks < NO_MARK)]
    assert set(marks[(marks >= len(NAMES)) & (marks < NO_MARK)]) == {
        len(NAMES) + PULSES.index(pulse)
    }
    assert len(found) == 4
    image = drawn(page, style)
    for x, y in found:
        top = round(y - gain * page.px_per_mm)  # 1 mV above its foot
        assert image[top - 2 : top + 3, round(x)].min() < 120
        side = round(x - 0.1 * speed * page.px_per_mm)
        assert image[round(y - gain / 2 * page.px_per_mm), side - 3 : side + 4].min() < 120


def test_marks_go_where_the_picture_goes() -> None:
    style = PAPERS["kit"].style
    page = Page(get_layout("3x4+II"), dpi=72)
    image = draw(FLAT, 100.0, page, style, points=False).image
    worn = artefacts.apply("photo", image, seed=3, dpi=72)
    flat, marks = page_marks(page, style, still(page))
    moved, same = page_marks(page, style, worn.warp)
    assert (marks == same).all()
    there = marks != NO_MARK
    np.testing.assert_allclose(moved[there], worn.warp(flat[there]))
    assert np.isnan(moved[~there]).all()


def test_marks_of_a_side_that_is_lost_are_none() -> None:
    style = PAPERS["kit"].style
    page = Page(get_layout("3x4+II"), dpi=72)
    image = draw(FLAT, 100.0, page, style, points=False).image
    whole, marks = page_marks(page, style, still(page))
    shares = []
    for seed in range(6):
        worn = artefacts.apply("cut", image, seed=seed, dpi=72)
        left, _ = page_marks(page, style, worn.warp)
        height, width = worn.warp.size
        there = worn.warp(whole)
        seen = ((there > 0) & (there < (width, height))).all(-1)
        np.testing.assert_allclose(left[seen], there[seen])
        assert np.isnan(left[~seen]).all()
        shares.append(seen[marks != NO_MARK].mean())
    assert min(shares) == 0  # where the header alone is left
    assert any(0.2 < share < 0.8 for share in shares)


def test_what_is_not_printed_is_no_mark() -> None:
    style = replace(PAPERS["kit"].style, lead_names=False, pulse=False)
    page = Page(get_layout("3x4"))
    points, marks = page_marks(page, style, still(page))
    assert (marks == NO_MARK).all()
    assert np.isnan(points).all()
    odd = Page(get_layout("1x1:II"), gain=7.5)  # of no usual height
    _, marks = page_marks(odd, PAPERS["kit"].style, still(odd))
    assert [NAMES[m] for m in marks if m != NO_MARK] == ["II"]
    for name in LAYOUTS:  # there is room for all marks of any
        page = Page(get_layout(name))
        page_marks(page, PAPERS["kit"].style, still(page))


def test_items_hold_marks_and_spoilt_pages_none(tiny_store: Path) -> None:
    mix = PageSettings(
        layouts=("any",), image_size=(64, 96), style="kit", dpi=40, train_dpi=(40.0,)
    )
    data = ReadingDataset([Store(tiny_store)], mix, beyond=PageVariation(0.0, 0.3, 0.3))
    items = [data[(0, i)] for i in range(30)]
    for item in items:
        there = item["mark"] != NO_MARK
        assert there.any() == item["printed"].any()
        assert (item["mark_place"].isfinite().all(-1) == there).all()
        assert ((item["mark_place"][there] > 0) & (item["mark_place"][there] < 1)).all()
    assert 3 < sum(not item["printed"].any() for item in items) < 18
