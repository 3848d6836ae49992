"""Standard pages against curves drawn by hand, whatever the layout, scale and shape of the page."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.standard_page import (
    Misread,
    PrintedLead,
    ReadingErrors,
    printed_leads,
    standard_layout,
    standard_page,
    stored_leads,
)
from ecgvision.render.artefacts import apply
from ecgvision.render.draw import draw
from ecgvision.render.papers.named import get_paper

SIZE = (192, 256)
PX_PER_MV, PX_PER_SECOND = 10.24, 25.6  # of 256 pixels for 250 mm
LAYOUTS = ("3x4", "3x4+II", "3x4+II+V1", "6x2", "6x2+II", "12x1", "3x4:cabrera")


def level(lead: str) -> float:
    """Height in mV of a lead's trace, told apart by lead and within every layout's rows."""
    return 0.08 * (LEADS.index(lead) - 5.5)


def flat_lines(page: Page) -> NDArray[np.uint8]:
    """A white page with one level black line for each cell, 1 mm thick."""
    height, width = page.size
    image = np.full((height, width, 3), 255, np.uint8)
    for cell in page.cells:
        (x0, x1), y = page.to_pixel(cell, np.array([cell.start, cell.stop]), level(cell.lead))
        half = page.px_per_mm / 2
        cv2.rectangle(image, (round(float(x0)), round(float(y) - half)),
                      (round(float(x1)) - 1, round(float(y) + half)), (0, 0, 0), -1)  # fmt: skip
    return image


def height_of(page: NDArray[np.uint8], row: int, column: int) -> float:
    """mV of the dark line in the middle of a standard cell."""
    part = page[48 * row + 14 : 48 * row + 34, 64 * column + 24 : 64 * column + 40]
    ink = (255.0 - part.mean((1, 2))).clip(10) - 10  # neighbouring rows lie farther away
    assert ink.sum() > 0, "no line"
    return float((10 - (ink @ (np.arange(20) + 0.5)) / ink.sum()) / PX_PER_MV)


CELLS = [("I", 0, 0), ("aVR", 0, 1), ("V1", 0, 2), ("V4", 0, 3), ("II", 1, 0), ("aVL", 1, 1),
         ("V2", 1, 2), ("V5", 1, 3), ("III", 2, 0), ("aVF", 2, 1), ("V3", 2, 2), ("V6", 2, 3),
         ("II", 3, 0)]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_lead_of_every_layout_has_its_place_and_height(layout: str) -> None:
    page = Page(get_layout(layout), dpi=150)
    found = standard_page(flat_lines(page), printed_leads(page), SIZE)
    for lead, row, column in CELLS:
        if row < 3 or layout != "3x4:cabrera":  # that prints II from 2.5 s on
            assert height_of(found, row, column) == pytest.approx(level(lead), abs=0.03), lead


@pytest.mark.parametrize(("speed", "gain"), [(50.0, 10.0), (25.0, 20.0), (25.0, 5.0)])
def test_speed_and_gain_are_those_of_the_standard_page(speed: float, gain: float) -> None:
    page = Page(get_layout("3x4"), dpi=150, speed=speed, gain=gain)
    found = standard_page(flat_lines(page), printed_leads(page), SIZE)
    for lead, row, column in CELLS[:12]:
        if speed == 25.0:
            assert height_of(found, row, column) == pytest.approx(level(lead), abs=0.05), lead
    if speed == 50.0:  # five seconds are printed, a lead takes 1.25 of them
        first = found[:48, :64].min((0, 2))
        assert (first[:31] < 140).all()
        assert (first[33:] == 255).all()


@given(seconds=st.floats(0.2, 2.3), dpi=st.sampled_from([60.0, 100.0, 150.0, 300.0]))
@settings(max_examples=12, deadline=None)
def test_a_mark_has_its_time(seconds: float, dpi: float) -> None:
    page = Page(get_layout("6x2"), dpi=dpi)
    image = np.full((*page.size, 3), 255, np.uint8)
    cell = next(c for c in page.cells if c.lead == "III")
    x, y = (float(v) for v in page.to_pixel(cell, seconds, 0.0))
    half = page.px_per_mm
    shown = np.s_[round(y - 5 * half) : round(y + 5 * half), round(x - half) : round(x + half)]
    image[shown] = 0
    found = standard_page(image, printed_leads(page), SIZE)
    ink = 255.0 - found[96:144, :64].mean((0, 2))
    at = float(ink @ (np.arange(64) + 0.5) / ink.sum()) / PX_PER_SECOND
    assert at == pytest.approx(seconds, abs=0.02 + 0.5 / 25 / page.px_per_mm)


def test_what_is_not_printed_is_white() -> None:
    page = Page(get_layout("3x4"), dpi=100)
    found = standard_page(np.zeros((*page.size, 3), np.uint8), printed_leads(page), SIZE)
    assert (found[146:190, 66:] == 255).all()  # a strip shows 2.5 s of lead II
    assert (found[146:190, :62] == 0).all()
    leads = [lead for lead in printed_leads(page) if lead.lead != "V1"]
    without = standard_page(np.zeros((*page.size, 3), np.uint8), leads, SIZE)
    assert (without[:48, 130:190] == 255).all()
    assert (standard_page(np.zeros((*page.size, 3), np.uint8), [], SIZE) == 255).all()


def test_neighbouring_rows_are_cut_off() -> None:
    """On twelve rows of the kit's page, 15.4 mm apart, 0.85 of that is shown on either side."""
    page = Page(get_layout("12x1"), dpi=100)
    found = standard_page(np.zeros((*page.size, 3), np.uint8), printed_leads(page), SIZE)
    shown = (found[48:96, 100] < 255).any(-1)  # aVL, with a row above and one below
    wanted = 2 * 0.85 * 215.9 / 14 * 256 / 250
    assert int(shown.sum()) == pytest.approx(wanted, abs=2)


def signal_of(seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    t = np.arange(5000) / 500
    spike = np.exp(-(((t % 0.8) - 0.4) ** 2) / 0.0004)
    return (rng.uniform(-0.6, 0.6, (12, 1)) * spike).astype(np.float32)


@pytest.mark.parametrize("dpi", [75, 100, 150, 200])
def test_all_layouts_of_a_record_look_alike(dpi: int) -> None:
    """Where all rows have room, standard pages of two layouts differ by their lead names alone."""
    paper = get_paper("kit")
    pages = []
    for layout in ("3x4+II", "6x2+II"):
        page = paper.page(layout, dpi=dpi)
        image = draw(signal_of(1), 500.0, page, paper.style, seed=0, points=False).image
        pages.append(standard_page(image, printed_leads(page), SIZE).max(-1).astype(float))
    one, other = (255 - p for p in pages)
    middle = np.s_[14:34, 70:124]  # aVR without its name
    assert np.corrcoef(one[middle].ravel(), other[middle].ravel())[0, 1] > 0.85


def test_a_photograph_gives_the_page_that_was_photographed() -> None:
    page = Page(get_layout("3x4+II"), dpi=150)
    image = flat_lines(page)
    picture = apply("photo", image, seed=5, dpi=150)
    leads = [lead.moved(picture.warp) for lead in printed_leads(page)]
    found = standard_page(picture.image, leads, SIZE)
    for lead, row, column in CELLS:
        part = found[48 * row : 48 * (row + 1), 64 * column + 24 : 64 * column + 40]
        dark = part.mean((1, 2))
        at = float((24 - (int(dark.argmin()) + 0.5)) / PX_PER_MV)
        assert at == pytest.approx(level(lead), abs=0.12), lead


def test_stored_geometry_says_the_same_as_the_page() -> None:
    paper = get_paper("kit")
    page = paper.page("3x4:cabrera", dpi=100)
    drawing = draw(signal_of(2), 500.0, page, paper.style, seed=0)
    kept = stored_leads(drawing.geometry.to_dict())
    for one, other in zip(kept, printed_leads(page), strict=True):
        assert one.lead == other.lead
        assert np.allclose(one.zero, other.zero, atol=0.01)
        assert np.allclose(one.up, other.up, atol=0.01)
    moved = drawing.geometry.moved(apply("photo", drawing.image, seed=2, dpi=100).warp)
    for one, cell in zip(stored_leads(moved.to_dict()), moved.cells, strict=True):
        assert np.allclose(one.zero, cell.zero, atol=0.01)
        wanted = page.gain * moved.px_per_mm
        assert np.linalg.norm(one.up, axis=1) == pytest.approx(wanted, rel=1e-3)


def test_errors_of_reading_move_what_is_shown() -> None:
    page = Page(get_layout("3x4+II"), dpi=150)
    lines, leads = flat_lines(page), printed_leads(page)
    errors: dict[str, Misread | None] = dict.fromkeys(LEADS, Misread(mv=0.2))
    errors["V6"] = None
    found = standard_page(lines, leads, SIZE, errors=errors)
    assert height_of(found, 0, 0) == pytest.approx(level("I") - 0.2, abs=0.03)
    assert (found[98:142, 194:] == 255).all()


def test_errors_of_reading_have_the_spread_that_is_stated() -> None:
    rng = np.random.default_rng(0)
    every = [ReadingErrors(missing=0.25)(rng) for _ in range(3000)]
    found = [e for errors in every for e in errors.values() if e is not None]
    assert len(found) / (3000 * 12) == pytest.approx(0.75, abs=0.01)
    values = np.array(found)
    wanted = ReadingErrors()
    assert values[:, 0].std() == pytest.approx(wanted.seconds, rel=0.05)
    assert values[:, 1].std() == pytest.approx(wanted.mv, rel=0.05)
    assert np.log(values[:, 3]).std() == pytest.approx(wanted.scale, rel=0.05)


def test_a_lead_printed_upside_down_is_turned() -> None:
    zero = np.array([[0.0, 50.0], [62.5, 50.0]])
    lead = PrintedLead("aVR", 2.5, 5.0, zero, np.array([[0.0, 10.0], [0.0, 10.0]]))
    image = np.full((100, 63, 3), 255, np.uint8)
    image[54:56] = 0  # 5 pixels below 0 mV: +0.5 mV
    found = standard_page(image, [lead], SIZE)
    assert height_of(found, 0, 1) == pytest.approx(0.5, abs=0.05)


def test_a_page_too_low_for_its_rows_is_refused() -> None:
    with pytest.raises(ConfigError, match="too low"):
        standard_layout((64, 256))
    assert standard_layout(SIZE).size == SIZE
