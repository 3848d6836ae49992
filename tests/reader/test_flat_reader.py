"""Reading of pictures, with answers of the two networks that are right: those of the drawing."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.reader.flat_reader import (
    GAINS,
    MULTIPLE,
    RATE,
    FlatReading,
    View,
    Viewer,
    look,
    read_gain,
    read_picture,
    see,
    trace,
)
from ecgvision.reader.layout.arrangement import Arrangement, Segment, arrange
from ecgvision.reader.layout.maps import MARKS, PX_PER_MM, PageMaps
from ecgvision.reader.layout.rows import Mark, Row, find_marks, find_rows
from ecgvision.reader.rectify.mesh import plain_mesh
from ecgvision.reader.rectify.paper import find_paper
from ecgvision.reader.trace.strips import COLUMNS_PER_MM as ACROSS
from ecgvision.render.draw import draw
from ecgvision.render.style import Style
from tests.flat_pages import Camera, blank_maps, dark_ink, waves

TIME = np.arange(5000) / RATE
STYLE = Style(ink=(0, 0, 0), separators=False, lead_names=False, scale_text=False, frame=False,
              pulse=False)  # fmt: skip


@lru_cache(maxsize=8)  # 5 pixels a millimetre: rows and grid lie on whole pixels
def page_of(
    layout: str = "3x4+II", gain: float = 10.0, dpi: float = 127.0, grid: bool = True
) -> tuple[np.ndarray, Page]:
    page = Page(get_layout(layout), dpi=dpi, gain=gain, paper_mm=(215.0, 280.0))
    drawn = draw(waves(), 500.0, page, replace(STYLE, grid=grid))
    return drawn.image, page


def maps_of(page: Page, size: tuple[int, int], shift: tuple[float, float]) -> PageMaps:
    """What is seen of a page whose upper left corner is at `shift` (x, y) mm of the flat page."""
    maps = blank_maps(size)
    down, across = (np.arange(n) + 0.5 for n in size)
    for cell in page.cells:
        y = page.paper_mm[0] - page.baseline_mm(cell) + shift[1]
        x = page.start_mm(cell) + shift[0]
        end = x + (cell.stop - cell.start) * page.speed
        near = np.abs(down - y) <= 1.0
        inside = (across > x - 0.5) & (across < end + 0.5)
        maps.row[np.ix_(near, inside)] = 1
        maps.offset[np.ix_(near, inside)] = (y - down[near])[:, None]
        put(maps, MARKS.index(cell.label), x + 2, y + 7)
        if cell.column == 0:
            put(maps, MARKS.index("pulse"), x - 2.5, y - page.gain / 2)
    return maps


def put(maps: PageMaps, kind: int, x: float, y: float) -> None:
    """A mark, as sharp as the network's."""
    height, width = maps.row.shape
    place = [
        np.clip(1.5 - np.abs(np.arange(n) + 0.5 - v), 0, 1) for n, v in ((height, y), (width, x))
    ]
    np.maximum(maps.marks[kind], np.outer(*place), out=maps.marks[kind])


def resized(maps: PageMaps, size: tuple[int, int], scale: float) -> PageMaps:
    """Maps of a flat page whose millimetres are so many times too small."""
    out = blank_maps(size)
    for name, values in zip(PageMaps._fields, maps, strict=True):
        to = getattr(out, name)
        at = [((np.arange(n) + 0.5) / scale).astype(int) for n in to.shape[-2:]]
        inside = [k < n for k, n in zip(at, values.shape[-2:], strict=True)]
        rows, columns = (k[i] for k, i in zip(at, inside, strict=True))
        part = values[..., rows[:, None], columns]
        to[..., : part.shape[-2], : part.shape[-1]] = part
    return out


def viewer_of(page: Page, picture: np.ndarray) -> Viewer:
    """A viewer that knows where the page lies: it finds the flat page's corner by its ink.

    The flat page is compared with the drawing at whole shifts of 5 mm; upside down or on its side
    it is like none of them.
    """
    dark = (picture.max(axis=2) < 110).astype(np.float32)

    def view(flat: np.ndarray) -> PageMaps:
        size = flat.shape[1] // PX_PER_MM, flat.shape[2] // PX_PER_MM
        found = coarse((flat.max(axis=0) < 110).astype(np.float32))
        known = coarse_drawing(dark, page)
        best, shift = 0.0, (0, 0)
        for y in range(-30, 60, 5):
            for x in range(-30, 60, 5):
                value = overlap(found, known, x, y)
                if value > best:
                    best, shift = value, (x, y)
        if best < 0.6 * known.sum():
            return blank_maps(size)
        return maps_of(page, size, shift)

    return view


def coarse(ink: np.ndarray) -> np.ndarray:
    height, width = (n // PX_PER_MM for n in ink.shape)
    cells = ink[: height * PX_PER_MM, : width * PX_PER_MM]
    return (cells.reshape(height, PX_PER_MM, width, PX_PER_MM).mean((1, 3)) > 0.05).astype(float)


def coarse_drawing(dark: np.ndarray, page: Page) -> np.ndarray:
    y, x = (np.arange(round(mm)) + 0.5 for mm in page.paper_mm)
    out = np.zeros((len(y), len(x)))
    j, i = np.nonzero(dark)
    out[((j + 0.5) / page.px_per_mm).astype(int).clip(0, len(y) - 1),
        ((i + 0.5) / page.px_per_mm).astype(int).clip(0, len(x) - 1)] = 1  # fmt: skip
    return out


def overlap(found: np.ndarray, known: np.ndarray, x: int, y: int) -> float:
    a = found[max(y, 0) :, max(x, 0) :]
    b = known[max(-y, 0) :, max(-x, 0) :]
    height, width = min(len(a), len(b)), min(a.shape[1], b.shape[1])
    return float((a[:height, :width] * b[:height, :width]).sum())


def snr(reading: FlatReading, page: Page) -> np.ndarray:
    """dB of every lead over what is printed and was read, but for its first and last 30 ms.

    All leads may be late alike by up to 16 ms: ink begins half a line's width before its curve.
    """
    shown, found = page.observed(5000, RATE), reading.signal
    inner = np.all([np.roll(shown, k, axis=1) for k in (-15, 15)], axis=0) & shown
    ratios = []
    for late in range(-8, 9):
        truth = np.where(inner, np.roll(waves(), late, axis=1), np.nan)
        power, error = np.nanmean(truth**2, 1), np.nanmean((found - truth) ** 2, 1)
        ratios.append(10 * np.log10(power / error))
    return max(ratios, key=np.min)


def test_a_drawn_page_is_read_without_any_network() -> None:
    picture, page = page_of("3x4+II")
    viewer = viewer_of(page, picture)
    found = read_picture(picture, viewer, dark_ink)
    assert found.view.grid
    assert found.view.quarters == 0
    assert found.view.arrangement.name == "3x4+II"
    assert found.gain == 10
    assert found.gain_probability > 0.7
    assert snr(found, page).min() > 22
    shown = page.observed(5000, RATE)
    assert (np.isfinite(found.signal) == shown).mean() > 0.99
    assert (found.printed[np.isfinite(found.signal)] > 0.5).all()
    assert np.isnan(found.trace[~np.isfinite(found.signal)]).all()
    for cell in page.cells:  # the samples' pixels are those at which they were drawn
        if cell.lead == "II":
            continue  # it is printed twice
        lead = LEAD_INDEX[cell.lead]
        k = np.flatnonzero(np.isfinite(found.signal[lead]))
        x, y = page.to_pixel(cell, TIME[k], waves()[lead, k])
        off = np.abs(found.trace[lead, k] - np.stack([x, y], -1) + 0.5)
        assert np.percentile(off, 90) < 2.2  # less than half a millimetre
    for lead, cell in zip(found.leads, page.cells, strict=True):
        assert (lead.lead, lead.start) == (cell.lead, pytest.approx(cell.start, abs=0.02))
        seconds = np.linspace(cell.start + 0.1, cell.stop - 0.1, 9)
        zero, up = lead.at(seconds)
        assert np.abs(zero - np.stack(page.to_pixel(cell, seconds, 0.0 * seconds), -1)).max() < 3
        assert np.abs(up - [0.0, -10 * page.px_per_mm]).max() < 1
    confidence = found.raw_confidence()
    assert ((confidence > 0.3) & (confidence <= 1)).all()
    again = read_picture(picture, viewer, dark_ink, gain=20.0)
    np.testing.assert_allclose(again.signal, found.signal / 2, rtol=1e-5)
    assert (again.gain, again.gain_probability) == (20.0, 1.0)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_page_that_lies_is_turned(quarters: int) -> None:
    picture, page = page_of("3x4+II")
    viewer = viewer_of(page, picture)
    turned = np.ascontiguousarray(np.rot90(picture, -quarters))
    view = look(turned, viewer, 25.0)
    assert view.quarters == quarters
    assert view.arrangement.name == "3x4+II"
    assert view.evidence > 0.9
    height, width = picture.shape[:2]
    for segment in view.arrangement.segments:  # where it begins, in the picture as it lies
        row = view.rows[segment.row]
        cell = next(c for c in page.cells if c.lead == segment.lead and c.strip == segment.strip)
        x, y = (float(v) - 0.5 for v in page.to_pixel(cell, cell.start, 0.0))
        for _ in range(quarters):  # each quarter turn to the right
            x, y, height, width = height - 1 - y, x, width, height
        height, width = picture.shape[:2]
        found = view.mesh.to_picture(np.array([segment.left, row.y]))
        assert np.abs(found - [x, y]).max() < 0.7 * page.px_per_mm


def test_a_picture_without_a_grid_is_read_at_the_width_that_fits() -> None:
    page = Page(get_layout("3x4"), dpi=127, paper_mm=(160.0, 270.0), pulse=False)
    image = draw(waves(), 500.0, page, replace(STYLE, grid=False)).image
    seen = []

    def viewer(flat: np.ndarray) -> PageMaps:
        size = flat.shape[1] // PX_PER_MM, flat.shape[2] // PX_PER_MM
        inked = np.flatnonzero((flat.max(axis=0) < 128).any(0))
        width = (inked[-1] - inked[0]) / PX_PER_MM
        seen.append(width)
        if abs(math.log(width / 250)) > 0.09:
            return blank_maps(size)
        return resized(maps_of(page, (160, 270), (0.0, 0.0)), size, width / 250)

    found = read_picture(image, viewer, dark_ink)
    assert not found.view.grid
    assert not found.view.mesh.seen.any()
    assert found.view.mesh.px_per_mm == pytest.approx(page.px_per_mm, rel=0.01)
    assert len(seen) == 4  # three widths, as it lies, and that of which leads take ten seconds
    assert np.ptp(np.array(seen[:3]) / [215, 250, 290]) < 0.02
    assert seen[3] == pytest.approx(250, rel=0.01)
    assert snr(found, page).min() > 18


def test_the_edge_of_a_picture_is_no_row() -> None:
    picture, page = page_of("3x4")
    viewer = viewer_of(page, picture)

    def with_edge(flat: np.ndarray) -> PageMaps:
        maps = viewer(flat)
        mesh = find_paper(picture).mesh
        down = np.arange(maps.row.shape[0]) + 0.5
        below = mesh.to_picture(np.stack([np.full_like(down, 140.0), down], -1))[:, 1]
        maps.row[np.abs(below - picture.shape[0]) < 1.5 * page.px_per_mm] = 1
        return maps

    assert look(picture, with_edge, 25.0).arrangement.name == "3x4"


def test_nothing_seen_is_nothing_read() -> None:
    blank = np.full((400, 500, 3), 255, np.uint8)
    calls = []

    def viewer(flat: np.ndarray) -> PageMaps:
        calls.append(flat.shape)
        return blank_maps((flat.shape[1] // PX_PER_MM, flat.shape[2] // PX_PER_MM))

    found = read_picture(blank, viewer, dark_ink)
    assert len(calls) == 12  # three widths, four ways up
    assert found.view.arrangement is None
    assert found.view.evidence == 0
    assert np.isnan(found.signal).all()
    assert (found.raw_confidence() == 0).all()
    assert found.gain == 10.0


@pytest.mark.parametrize("size", [(128, 256), (130, 250), (4, 4), (383, 385)])
def test_a_viewer_is_given_whole_multiples(size: tuple[int, int]) -> None:
    given = []

    def viewer(flat: np.ndarray) -> PageMaps:
        given.append(flat)
        cells = flat.shape[1] // PX_PER_MM, flat.shape[2] // PX_PER_MM
        maps = blank_maps(cells)
        maps.row[:] = np.arange(cells[0] * cells[1]).reshape(cells)
        return maps

    page = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    maps = see(page, viewer)
    (flat,) = given
    assert flat.shape[0] == 3
    assert flat.flags["C_CONTIGUOUS"]
    for n, wanted in zip(flat.shape[1:], size, strict=True):
        assert n % MULTIPLE == 0
        assert wanted <= n < wanted + MULTIPLE
    np.testing.assert_array_equal(flat[:, : size[0], : size[1]], page.transpose(2, 0, 1))
    assert (flat[:, :, size[1] :] == flat[:, :, size[1] - 1 : size[1]]).all()
    assert maps.row.shape == (size[0] // PX_PER_MM, size[1] // PX_PER_MM)
    assert maps.marks.shape == (len(MARKS), *maps.row.shape)
    step = flat.shape[2] // PX_PER_MM
    np.testing.assert_array_equal(maps.row[:, 0], step * np.arange(len(maps.row)))


@pytest.mark.parametrize("gain", GAINS)
def test_the_gain_is_read_off_the_pulses(gain: float) -> None:
    rng = np.random.default_rng(int(gain))
    rows = [Row(40.0 + 30 * k, 20.0, 270.0) for k in range(4)]
    pulses = [Mark("pulse", 17.0 + rng.uniform(-1, 1), row.y - gain / 2 + rng.uniform(-0.3, 0.3), 0.9)
              for row in rows]  # fmt: skip
    names = [Mark("V1", 18.0, row.y - 5, 1.0) for row in rows]
    found, sure = read_gain(rows, pulses + names)
    assert found == gain
    assert 0.6 < sure <= 1
    fewer, less = read_gain(rows, pulses[:2])
    assert fewer == gain or gain != 10  # two pulses against what is usual
    assert less < sure
    assert read_gain(rows, names) == (10.0, pytest.approx(GAINS[10.0] / sum(GAINS.values())))
    assert read_gain([], []) == read_gain(rows, names)
    away = [mark._replace(x=60.0) for mark in pulses]  # in the midst of a row it is no pulse
    assert read_gain(rows, away) == read_gain(rows, [])


def test_a_page_of_another_gain_is_read_in_mv() -> None:
    picture, page = page_of("3x4+II", gain=5.0)
    found = read_picture(picture, viewer_of(page, picture), dark_ink)
    assert found.gain == 5
    assert snr(found, page).min() > 16


def known_view(arrangement: Arrangement, rows: list[Row]) -> View:
    return View(plain_mesh((600, 1500), 6.0), 0, True, rows, [], arrangement)


def test_an_inverted_lead_is_turned_back_and_a_strip_fills_what_is_not_read() -> None:
    flat = np.full((600, 250 * ACROSS, 3), 255, np.uint8)
    for y in (200, 400):
        flat[y - 1 : y + 1, 20 * ACROSS : 145 * ACROSS] = 0
    flat[170:172, 20 * ACROSS : 70 * ACROSS] = 0
    flat[199:201, 20 * ACROSS : 70 * ACROSS] = 255  # the first two seconds are 29/6 mm higher
    rows = [Row(200 / 6, 20.0, 145.0), Row(400 / 6 + 1, 20.0, 145.0)]
    segments = (Segment("aVR", -1, 0, 20.0, 70.0, 0.0, 1.0, False),
                Segment("II", 1, 0, 20.0, 70.0, 0.0, 1.0, False),
                Segment("II", 1, 1, 20.0, 145.0, 0.0, 1.0, True))  # fmt: skip
    view = known_view(Arrangement("x", 1.0, 1.0, segments, 25.0), rows)
    found = trace(flat, view, dark_ink, 10.0)
    avr, two = found.signal[LEAD_INDEX["aVR"]], found.signal[LEAD_INDEX["II"]]
    assert np.isfinite(avr).sum() == np.isfinite(avr[:1000]).sum() >= 999
    assert avr[1:990] == pytest.approx(np.full(989, -29 / 60), abs=0.01)
    assert two[1:990] == pytest.approx(
        np.full(989, 29 / 60), abs=0.01
    )  # its own trace, not the strip
    assert two[1010:2490] == pytest.approx(np.full(1480, 0.1), abs=0.01)
    assert np.isnan(two[2500:]).all()
    assert np.isnan(found.signal[LEAD_INDEX["V1"]]).all()
    x, y = found.trace[LEAD_INDEX["II"], 500]
    assert (x, y) == pytest.approx((120 + 150 - 0.5, 171 - 0.5), abs=0.6)


@pytest.mark.parametrize("late", [-3.0, -1.0, 0.0, 2.0])
def test_traces_begin_where_the_first_column_is_printed(late: float) -> None:
    begin = 20.0 + late
    flat = np.full((600, 250 * ACROSS, 3), 255, np.uint8)
    first, long = round(begin * ACROSS), 50 * ACROSS
    flat[299:301, first : first + long] = 0
    flat[270:272, first : first + long // 10] = 0
    flat[299:301, first : first + long // 10] = 255
    segment = Segment("I", 1, 0, 20.0, 70.0, 0.0, 1.0, False)
    view = known_view(Arrangement("x", 1.0, 1.0, (segment,), 25.0), [Row(50.0, 20.0, 70.0)])
    found = trace(flat, view, dark_ink, 10.0)
    lead = found.signal[0]
    high = np.flatnonzero(lead > 0.25)
    assert high[0] == pytest.approx(0, abs=3)
    assert high[-1] == pytest.approx(100, abs=5)  # 5 mm


def test_confidence_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    mv, spread, printed = (
        rng.normal(0, 1, (12, 5000)),
        rng.uniform(0, 0.3, (12, 5000)),
        rng.random((12, 5000)),
    )
    mv[3] = np.nan
    mv[4, 100:] = np.nan
    view = known_view(Arrangement("3x4", 0.8, 0.6, (), 25.0), [])
    found = FlatReading(
        mv, spread, printed, np.zeros((12, 5000, 2)), 10.0, 0.9, view
    ).raw_confidence()
    for lead in range(len(LEADS)):
        known = [k for k in range(5000) if np.isfinite(mv[lead, k])]
        right = [
            printed[lead, k] * (1 - np.exp(-0.1 * np.sqrt(2) / spread[lead, k])) for k in known
        ]
        wanted = np.mean(right) * 0.8 * (0.5 + 0.5 * 0.6) * 0.9 if known else 0
        assert found[lead] == pytest.approx(wanted)
    none = replace(view, arrangement=None)
    assert (
        FlatReading(mv, spread, printed, np.zeros(0), 10.0, 0.9, none).raw_confidence() == 0
    ).all()


def test_a_photograph_of_a_bent_page_is_read_too() -> None:
    image, page = page_of("3x4+II")
    camera = Camera(
        page.paper_mm, 5.0, degrees=4.0, tilt=(0.04, -0.03), margin=(40, 30, 35, 50), bend=1.5
    )
    picture = camera.take(image)

    def viewer(flat: np.ndarray) -> PageMaps:  # the corner of the page, by its known place
        size = flat.shape[1] // PX_PER_MM, flat.shape[2] // PX_PER_MM
        return maps_of(page, size, tuple(shift))

    nodes = find_paper(picture).mesh.nodes
    rows, columns = np.indices(nodes.shape[:2])
    off = 5.0 * np.stack([columns, rows], -1) - camera.to_page(nodes)
    shift = np.round(np.median(off.reshape(-1, 2), axis=0))
    found = read_picture(picture, viewer, dark_ink)
    assert found.view.arrangement.name == "3x4+II"
    assert snr(found, page).min() > 14


def test_most_names_twice_are_two_ecgs_and_rows_across_are_no_page_on_its_side() -> None:
    rows = [Row(30.0 + 30 * k, 10.0, 240.0) for k in range(3)]
    marks = [Mark(name, 20.0 + 60 * (k // 3), rows[k % 3].y - 8, 0.9)
             for k, name in enumerate(LEADS)]  # fmt: skip
    view = View(plain_mesh((600, 1500), 6.0), 0, True, rows, marks, None)
    assert view.lies_flat
    assert not view.two_ecgs
    assert not replace(view, rows=rows[:2]).lies_flat
    assert not replace(view, rows=[row._replace(right=120.0) for row in rows]).lies_flat
    below = [mark._replace(y=mark.y + 100) for mark in marks]
    assert replace(view, marks=marks + below).two_ecgs
    assert not replace(view, marks=marks + below[:3]).two_ecgs


def test_a_strip_is_named_by_the_lead_that_it_repeats() -> None:
    """Read in the page's own rows, while the arrangement has the usual lead for the strip."""
    picture, page = page_of("3x4+II+V1")
    maps = maps_of(page, (215, 280), (0.0, 0.0))
    rows, marks = find_rows(maps), find_marks(maps)
    mesh = plain_mesh(picture.shape, page.px_per_mm)
    view = View(mesh, 0, True, rows, marks, arrange(rows, marks))
    wrong = replace(view.arrangement, name="3x4+II+V5", segments=tuple(
        replace(s, lead="V5", probability=0.0) if s.strip and s.lead == "V1" else s
        for s in view.arrangement.segments))  # fmt: skip
    flat = view.mesh.flatten(picture, 6, ACROSS)
    found = trace(flat, replace(view, arrangement=wrong), dark_ink, 10.0)
    assert found.view.arrangement.name == "3x4+II+V1"
    assert [s.lead for s in found.view.arrangement.segments if s.strip] == ["II", "V1"]
    assert np.isfinite(found.signal[LEAD_INDEX["V1"]]).mean() > 0.99
    assert np.isfinite(found.signal[LEAD_INDEX["V5"]]).mean() < 0.3


def test_where_columns_are_seen_traces_do_not_begin_elsewhere() -> None:
    """A pulse seen within a row moves a row that merely seemed to begin there."""
    flat = np.full((600, 250 * ACROSS, 3), 255, np.uint8)
    flat[299:301, 20 * ACROSS : 70 * ACROSS] = 0
    segment = Segment("I", 1, 0, 20.0, 70.0, 0.0, 1.0, False)
    pulse = Mark("pulse", 24.0, 45.0, 0.9)
    for seen, first in ((1.0, 1.0), (0.0, 6.0)):
        arrangement = Arrangement("x", 1.0, 1.0, (segment,), 25.0, seen)
        view = replace(known_view(arrangement, [Row(50.0, 20.0, 70.0)]), marks=[pulse])
        found = trace(flat, view, dark_ink, 10.0)
        x = found.trace[0, :, 0]
        assert np.nanmin(x) / 6 - 20 == pytest.approx(first, abs=0.3)
