from __future__ import annotations

import threading

import numpy as np
import pytest

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.core.layouts import LAYOUTS, get_layout
from ecgvision.core.page import Page
from ecgvision.render.draw import draw
from ecgvision.render.geometry import lead_points
from ecgvision.render.papers.named import get_style, random_style
from experiments.bench import matplotlib_page
from experiments.bench.beats import beats

BARE = get_style("plain", pulse=False, separators=False, lead_names=False, scale_text=False)


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    return beats(500, 0)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_ink_lies_where_the_geometry_says(name: str) -> None:
    # one spike in one lead at a time: the darkest pixels of the page must be its samples'
    rate, at = 100.0, 130
    for lead in get_layout(name).leads:
        signal = np.full((12, 1000), np.nan, np.float32)
        window = slice(0, 1000)
        signal[LEADS.index(lead), window] = 0.0
        signal[LEADS.index(lead), at::250] = 0.8
        page = Page(get_layout(name), dpi=100)
        drawing = draw(signal, rate, page, BARE, mask=True)
        for cell in drawing.geometry.cells:
            assert cell.points is not None
            if cell.cell.lead != lead:
                assert np.isnan(cell.points[:, 1]).all()
                continue
            for n in range(cell.samples[0], cell.samples[1]):
                if n % 250 == at:
                    x, y = cell.points[n - cell.samples[0]]
                    mv = 0.8 * cell.cell.sign
                    assert cell.baseline - y == pytest.approx(mv * 10 * page.px_per_mm)
                    assert drawing.mask[int(y), int(x)] > 60
                    assert page.locate(x, cell.baseline)[1] == pytest.approx(n / rate)


# bounds in grey levels within a pixel of the ink, and overlap of what is darker than half; at
# 500 Hz the noise folds into fractions of a pixel, where Agg adds areas up that it drew twice
@pytest.mark.parametrize(
    ("rate", "dpi", "bound", "overlap"),
    [(100, 200, 1.1, 0.985), (100, 100, 1.7, 0.965), (100, 72, 2.0, 0.945)]
    + [(500, 200, 2.8, 0.965), (500, 100, 3.3, 0.94), (500, 72, 2.9, 0.93)],
)
@pytest.mark.parametrize("layout", ["3x4+II", "6x2", "12x1"])
def test_ink_against_matplotlib(layout, rate, dpi, bound, overlap) -> None:
    signal = beats(rate, 0)
    page = Page(get_layout(layout), dpi=dpi)
    drawing = draw(signal, rate, page, BARE, mask=True)
    reference = matplotlib_page.draw(signal, rate, page, BARE, lean=True).astype(int)
    near = np.zeros(page.size, bool)
    ys, xs = np.nonzero(drawing.mask)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            near[np.clip(ys + dy, 0, page.size[0] - 1), np.clip(xs + dx, 0, page.size[1] - 1)] = (
                True
            )
    assert (reference[~near] > 250).all()
    assert np.abs(drawing.image.astype(int) - reference)[near].mean() <= bound
    ours, theirs = drawing.image[..., 0] < 128, reference[..., 0] < 128
    assert (ours & theirs).sum() / (ours | theirs).sum() >= overlap


def test_the_mask_is_the_ink(signal) -> None:
    drawing = draw(signal, 500.0, Page(get_layout("3x4"), dpi=90), BARE, mask=True)
    np.testing.assert_array_equal(drawing.image[..., 0], 255 - drawing.mask)


def test_the_mask_holds_traces_only(signal) -> None:
    page = Page(get_layout("3x4"), dpi=90)
    plain = draw(signal, 500.0, page, BARE, mask=True).mask
    full = draw(signal, 500.0, page, get_style("kit"), mask=True, header=["ID: 1"]).mask
    np.testing.assert_array_equal(plain, full)


def test_same_bytes_every_time_and_in_every_thread(signal) -> None:
    page, style = Page(get_layout("6x2+II"), dpi=80), get_style("kit")
    first = draw(signal, 500.0, page, style, seed=3).image
    found = []

    def work() -> None:
        draw(signal[:, ::-1].copy(), 500.0, Page(get_layout("12x1"), dpi=60), style)
        found.append(draw(signal, 500.0, page, style, seed=3, mask=True, points=False).image)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for image in found:
        np.testing.assert_array_equal(image, first)


def test_the_seed_decides_the_ink_and_nothing_else_of_the_kits_style(signal) -> None:
    page = Page(get_layout("3x4"), dpi=60)
    a, b = (draw(signal, 500.0, page, seed=s) for s in (1, 2))
    assert (a.image != b.image).any()
    fixed = get_style("kit", ink=(10, 20, 30))
    np.testing.assert_array_equal(
        draw(signal, 500.0, page, fixed, seed=1).image,
        draw(signal, 500.0, page, fixed, seed=2).image,
    )


def test_missing_values_leave_a_gap() -> None:
    signal = np.zeros((12, 1000), np.float32)
    signal[:, 100:200] = np.nan
    page = Page(get_layout("12x1"), dpi=100)
    drawing = draw(signal, 100.0, page, BARE, mask=True)
    for cell in drawing.geometry.cells:
        x = [int(page.to_pixel(cell.cell, t, 0.0)[0]) for t in (0.05, 0.95, 1.05, 1.95, 2.05, 9.9)]
        row = drawing.mask[int(cell.baseline - 0.5) : int(cell.baseline - 0.5) + 2].max(0)
        assert row[x[0] : x[1]].min() > 100
        assert row[x[2] : x[3]].max() == 0
        assert row[x[4] : x[5]].min() > 100


def test_a_recording_without_any_value_is_an_empty_page() -> None:
    page = Page(get_layout("3x4"), dpi=50)
    drawing = draw(np.full((12, 10), np.nan, np.float32), 10.0, page, BARE)
    assert (drawing.image == 255).all()


def test_short_recordings_end_early_and_spikes_leave_the_page_quietly() -> None:
    signal = np.zeros((12, 300), np.float32)
    signal[0, 150] = 1e6
    signal[1, 150] = np.inf
    page = Page(get_layout("12x1"), dpi=60)
    drawing = draw(signal, 100.0, page, BARE, mask=True)
    end = int(page.to_pixel(page.cells[0], 3.05, 0.0)[0])
    assert drawing.mask[:, end:].max() == 0
    assert drawing.mask[:, :end].max() > 100


@pytest.mark.parametrize("shape", [(11, 100), (12, 0), (12,), (1, 12, 100)])
def test_other_shapes_are_refused(shape) -> None:
    with pytest.raises(RecordError, match="shape"):
        draw(np.zeros(shape, np.float32), 100.0, Page(get_layout("3x4"), dpi=50))
    with pytest.raises(RecordError, match="rate"):
        draw(np.zeros((12, 9), np.float32), 0.0, Page(get_layout("3x4"), dpi=50))


def test_geometry_becomes_plain_json(signal) -> None:
    import json

    broken = signal.copy()
    broken[0, 5] = np.nan
    page = Page(get_layout("3x4+II"), dpi=100)
    geometry = draw(broken, 500.0, page).geometry
    found = json.loads(json.dumps(geometry.to_dict(), allow_nan=False))
    assert [c["lead"] for c in found["leads"]].count("II") == 2
    assert found["leads"][0]["points"][5][1] is None
    assert found["px_per_mm"] == pytest.approx(100 / 25.4)
    points, bounds = lead_points(broken, 500.0, page)
    np.testing.assert_allclose(
        found["leads"][1]["points"], points[bounds[1] : bounds[2]], atol=0.00051
    )
    for cell in geometry.cells:
        left, top, right, bottom = cell.label
        assert 0 <= left < right <= page.size[1]
        assert 0 <= top < bottom <= page.size[0]


def test_names_are_printed_inside_their_boxes(signal) -> None:
    page = Page(get_layout("3x4"), dpi=100)
    flat = np.full((12, 9), np.nan, np.float32)
    named = draw(
        flat, 500.0, page, get_style("plain", pulse=False, separators=False, scale_text=False)
    )
    ink = named.image[..., 0] < 255
    for cell in named.geometry.cells:
        left, top, right, bottom = (int(v) for v in cell.label)
        assert ink[top:bottom, left:right].any()
        ink[top:bottom, left:right] = False
    assert not ink.any()


def test_header_lines_and_pulse_appear_and_disappear() -> None:
    page = Page(get_layout("3x4"), dpi=100)
    flat = np.full((12, 9), np.nan, np.float32)
    top = draw(flat, 100.0, page, BARE, header=["ID: 7\tName: X", "second"]).image[:60]
    assert (top[:, :200] < 100).any()
    assert (top[:, 300:] < 100).any()
    pulse = draw(
        flat, 100.0, page, get_style("plain", lead_names=False, scale_text=False, separators=False)
    ).image
    xs = np.nonzero((pulse < 128).any((0, 2)))[0]
    left = page.left_mm * page.px_per_mm
    assert xs.min() == pytest.approx(left, abs=2)
    assert xs.max() == pytest.approx(left + 5 * page.px_per_mm + 3, abs=3)


def test_random_styles_draw_and_repeat(signal) -> None:
    for seed in range(25):
        style = random_style(np.random.default_rng(seed))
        assert style == random_style(np.random.default_rng(seed))
        page = Page(get_layout("3x4+II"), dpi=50 + seed)
        image = draw(signal, 500.0, page, style, seed=seed).image
        assert image.shape == (*page.size, 3)
        assert image.min() < 120
