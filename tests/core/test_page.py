from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ecgvision.core.errors import LayoutError
from ecgvision.core.layouts import LAYOUTS, RANDOM_LAYOUTS, get_layout
from ecgvision.core.page import Page


def page_or_none(**asked) -> Page | None:
    try:
        return Page(**asked)
    except LayoutError:  # rows that do not fit between margins
        return None


pages = st.builds(
    page_or_none,
    layout=st.sampled_from([get_layout(n) for n in LAYOUTS]),
    dpi=st.floats(30, 400),
    speed=st.sampled_from([12.5, 25.0, 50.0]),
    gain=st.sampled_from([5.0, 10.0, 20.0]),
    paper_mm=st.sampled_from([(215.9, 279.4), (210.0, 297.0), (297.0, 210.0)]),
    pulse=st.booleans(),
    margins_mm=st.sampled_from([None, (0.0, 0.0), (35.0, 12.0)]),
    strips_on_top=st.booleans(),
).filter(lambda page: page is not None)


@given(page=pages, pick=st.randoms(), share=st.floats(0, 0.999), level=st.floats(-0.45, 0.45))
def test_a_pixel_leads_back_to_its_lead_time_and_voltage(page, pick, share, level) -> None:
    cell = pick.choice(page.cells)
    seconds = cell.start + share * (cell.stop - cell.start)
    # neighbours' baselines lie at least this far: a strip is lifted towards the row above
    mv = level * (page.row_mm - 3.0) / page.gain
    x, y = (float(v) for v in page.to_pixel(cell, seconds, mv))
    assume(0 <= y < page.size[0])
    found = page.locate(x, y)
    assert found is not None
    lead, t, v = found
    assert lead == cell.lead
    assert t == pytest.approx(seconds, abs=1e-6)
    assert v == pytest.approx(mv, abs=1e-6)


@given(page=pages)
def test_everything_stands_on_the_paper(page: Page) -> None:
    height, width = page.size
    for cell in page.cells:
        x, y = page.to_pixel(cell, np.array([cell.start, cell.stop]), 0.0)
        assert 0 <= x[0] < x[1] <= width + 0.5
        assert ((y > 0) & (y < height)).all()
    assert page.left_mm >= 0


@given(
    name=st.sampled_from(RANDOM_LAYOUTS),
    rate=st.floats(20, 1000),
    speed=st.sampled_from([25.0, 50.0]),
)
def test_neighbouring_windows_share_no_sample_and_leave_none_out(name, rate, speed) -> None:
    page = Page(get_layout(name), speed=speed)
    length = int(page.window[1] * rate)
    taken = np.zeros(length, int)
    row = [c for c in page.cells if c.row == 0]
    for cell in row:
        taken[page.samples(cell, length, rate)] += 1
    assert (taken == 1).all()


def test_lengths_of_the_kits_default_page() -> None:
    # as the kit draws them: baselines and first sample of 3x4+II at 200 dpi
    page = Page(get_layout("3x4+II"))
    assert page.size == (1700, 2200)
    starts = [page.to_pixel(c, c.start, 0.0) for c in page.cells if c.column == 0]
    np.testing.assert_allclose([y for _, y in starts], [708.33, 991.67, 1275.0, 1534.71], atol=0.01)
    np.testing.assert_allclose([x for x, _ in starts], 118.11, atol=0.01)


def test_millimetres_follow_speed_and_gain() -> None:
    for speed, gain in ((25.0, 10.0), (50.0, 20.0), (25.0, 5.0)):
        page = Page(get_layout("12x1"), dpi=254.0, speed=speed, gain=gain)  # 10 px a mm
        cell = page.cells[3]
        x, y = page.to_pixel(cell, np.array([0.0, 1.0]), np.array([0.0, 1.0]))
        assert x[1] - x[0] == pytest.approx(10 * speed)
        assert y[0] - y[1] == pytest.approx(10 * gain)


def test_fifty_mm_a_second_shows_what_fits_and_says_so() -> None:
    page = Page(get_layout("3x4+II"), speed=50.0)
    assert page.window == (0.0, 5.0)
    seen = page.observed(1000, 100.0)
    assert seen[0, :125].all()
    assert not seen[0, 125:].any()
    assert seen[3, 125:250].all()  # the next column goes on where the first ended
    assert not seen[:, 500:].any()


def test_a_window_that_does_not_fit_is_refused() -> None:
    with pytest.raises(LayoutError, match="5 s of layout 12x1 at 50 mm/s"):
        Page(get_layout("12x1"), speed=50.0, seconds=10.0)
    with pytest.raises(LayoutError):
        Page(get_layout("12x1"), seconds=11.0)
    with pytest.raises(LayoutError):
        Page(get_layout("12x1"), speed=1000.0)


@pytest.mark.parametrize("name", ["dpi", "speed", "gain"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_senseless_figures_are_refused(name: str, value: float) -> None:
    with pytest.raises(LayoutError):
        Page(get_layout("3x4"), **{name: value})


@pytest.mark.parametrize("size", [(192, 256), (850, 1100), (1000, 700), (33, 4000)])
def test_fit_fills_one_side_and_stays_within_the_other(size: tuple[int, int]) -> None:
    height, width = Page(get_layout("3x4")).fit(size).size
    assert height <= size[0]
    assert width <= size[1]
    assert height == size[0] or width == size[1]


def test_huge_pages_are_refused() -> None:
    with pytest.raises(LayoutError, match="dpi"):
        Page(get_layout("3x4"), dpi=5000)


def test_off_the_traces_is_nowhere() -> None:
    page = Page(get_layout("3x4"))
    assert page.locate(1.0, 800.0) is None
    assert page.locate(500.0, -1.0) is None
    assert page.locate(2199.0, 800.0) is None


def test_a_lead_that_stands_twice_is_told_apart_by_its_cell() -> None:
    page = Page(get_layout("3x4+II"))
    found = [i for i, c in enumerate(page.cells) if c.lead == "II"]
    assert len(found) == 2
    for i in found:
        x, y = page.to_pixel(page.cells[i], 1.0, 0.0)
        assert page.locate_cell(float(x), float(y)) == i


def test_short_recordings_are_observed_as_far_as_they_go() -> None:
    seen = Page(get_layout("3x4")).observed(300, 100.0)
    assert seen.shape == (12, 300)
    assert seen[3, 250:].all()
    assert not seen[6:].any()
