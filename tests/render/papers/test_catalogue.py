from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.cli import main
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError, LayoutError
from ecgvision.core.layouts import LAYOUTS, RANDOM_LAYOUTS, get_layout
from ecgvision.core.page import MIN_ROW_MV, Page
from ecgvision.render import page_annotations
from ecgvision.render.draw import draw
from ecgvision.render.header import MEASUREMENTS, fill, invent
from ecgvision.render.papers.catalogue import PAPERS, get_paper
from ecgvision.render.papers.named import STYLES, Style, get_style, random_paper, random_style
from ecgvision.render.text import pieces, text_coverage
from experiments.bench.beats import beats

BLANK = np.full((12, 2), np.nan, np.float32)
ON_PAPER = [(name, layout) for name, paper in PAPERS.items() for layout in paper.layouts[:6]]


def test_one_vocabulary() -> None:
    assert list(STYLES) == list(PAPERS)
    for name, paper in PAPERS.items():
        assert get_style(name) == paper.style == get_paper(name).style
        assert set(paper.layouts) <= set(LAYOUTS)
        assert paper.follows
    with pytest.raises(ConfigError, match=r"unknown style.*kit.*muse"):
        get_paper("fancy")


def test_the_kit_asks_nothing_of_the_page() -> None:
    assert PAPERS["kit"].page("3x4+II", dpi=100) == Page(get_layout("3x4+II"), dpi=100)
    assert PAPERS["kit"].style == Style()


def test_papers_differ_in_what_real_ones_differ_in() -> None:
    styles = [paper.style for paper in PAPERS.values()]
    sheets = [paper.page(paper.layouts[0]) for paper in PAPERS.values()]
    assert {s.name_place for s in styles} == {"below", "above", "left"}
    assert {s.minor for s in styles} == {"lines", "dots", "none"}
    assert {s.scale_place for s in styles} == {"foot", "left", "right", "head"}
    assert {s.grid for s in styles} == {s.separators for s in styles} == {False, True}
    assert {page.speed for page in sheets} == {25.0, 50.0}
    assert {page.gain for page in sheets} == {5.0, 10.0, 20.0}
    assert {page.strips_on_top for page in sheets} == {False, True}
    assert len({page.paper_mm for page in sheets}) >= 4
    assert any(c.sign < 0 for page in sheets for c in page.cells)
    assert len(set(styles)) == len(styles)


@pytest.mark.parametrize(("name", "layout"), ON_PAPER)
def test_nothing_printed_is_cut_off_or_stands_on_another(name: str, layout: str) -> None:
    paper = PAPERS[name]
    page = paper.page(layout, dpi=100)
    lines = fill(paper.style.header_lines, np.random.default_rng(0))
    texts = page_annotations.labels(page, paper.style)
    if paper.style.header == "invented":
        texts += page_annotations.header(page, paper.style, lines, invented=True)
    taken = np.zeros(page.size, int)
    for part in texts:
        high, wide = part.coverage.shape
        assert part.top >= 0
        assert part.left >= 0
        assert part.top + high <= page.size[0]
        assert part.left + wide <= page.size[1]
        taken[part.top : part.top + high, part.left : part.left + wide] += part.coverage > 60
    assert taken.max() <= 1
    named = {part.cell for part in texts if part.cell is not None}
    assert named == set(range(len(page.cells)))


@pytest.mark.parametrize("name", PAPERS)
def test_words_stay_clear_of_flat_traces_and_pulses(name: str) -> None:
    paper = PAPERS[name]
    # on the kit's crowded page its names, below, touch the next row's pulse: that is its rule
    some = ("3x4+II", "6x2") if paper.style.name_place == "below" else ("3x4+II", "6x2", "12x1")
    kits = [Page(get_layout(layout), dpi=100) for layout in some]
    for page in (paper.page(paper.layouts[0], dpi=120), *kits):
        flat = draw(np.zeros((12, 1000), np.float32), 100.0, page, paper.style, mask=True).mask > 0
        for part in page_annotations.bars(page, replace(paper.style, separators=False), 100.0):
            stamp(flat, part)
        lines = fill(paper.style.header_lines, np.random.default_rng(1))
        texts = page_annotations.labels(page, paper.style)
        if paper.style.header == "invented":
            texts += page_annotations.header(page, paper.style, lines, invented=True)
        for part in texts:
            alone = np.zeros(page.size, bool)
            stamp(alone, part)
            assert not (alone & flat).any(), (page.layout.name, part.top, part.left)


def stamp(page: np.ndarray, part: page_annotations.Part) -> None:
    high, wide = part.coverage.shape
    page[part.top : part.top + high, part.left : part.left + wide] |= part.coverage > 60


@pytest.mark.parametrize("name", PAPERS)
def test_the_ink_of_a_paper_lies_where_its_page_says(name: str) -> None:
    paper = PAPERS[name]
    page = paper.page(paper.layouts[0], dpi=100)
    signal, rate = np.zeros((12, 1000), np.float32), 100.0
    signal[:, 40::50] = 0.5
    drawing = draw(signal, rate, page, paper.style, mask=True)
    for cell in drawing.geometry.cells:
        first, last = cell.samples
        for n in range(first + 1, last - 1):
            if n % 50 == 40:
                x, y = cell.points[n - first]
                assert drawing.mask[int(y), int(x)] > 40
                lead, seconds, mv = page.locate(x, cell.baseline)
                assert (lead, seconds, mv) == (
                    cell.cell.lead, pytest.approx(n / rate), pytest.approx(0, abs=1e-6)
                )  # fmt: skip
    # what is observed is what is drawn
    seen = page.observed(1000, rate)
    for cell in page.cells:
        seen[LEADS.index(cell.lead), page.samples(cell, 1000, rate)] = False
    assert not seen.any()


@given(
    layout=st.sampled_from(sorted(LAYOUTS)), head=st.floats(0, 60), foot=st.floats(0, 30),
    top=st.booleans(), gain=st.sampled_from([5.0, 10.0, 20.0]),
)  # fmt: skip
def test_rows_share_what_is_between_the_margins(layout, head, foot, top, gain) -> None:
    chosen = get_layout(layout)
    asked = {"margins_mm": (head, foot), "strips_on_top": top, "gain": gain}
    if (215.9 - head - foot) / (chosen.rows + chosen.strips) < MIN_ROW_MV * gain - 1e-9:
        with pytest.raises(LayoutError, match="rows fit"):
            Page(chosen, **asked)
        return
    page = Page(chosen, **asked)
    levels = {(c.strip, c.row): page.baseline_mm(c) for c in page.cells}
    ordered = sorted(levels.values(), reverse=True)
    assert 215.9 - head - ordered[0] == pytest.approx(page.row_mm / 2)
    assert ordered[-1] - foot == pytest.approx(page.row_mm / 2)
    np.testing.assert_allclose(-np.diff(ordered), page.row_mm, atol=1e-9)
    strips = [y for (strip, _), y in levels.items() if strip]
    others = [y for (strip, _), y in levels.items() if not strip]
    assert all((s > y) == top for s, y in itertools.product(strips, others))
    assert page.head_mm == head


def test_strips_on_top_of_the_kits_division_stay_in_order() -> None:
    below, above = (Page(get_layout("3x4+II+V1"), strips_on_top=top) for top in (False, True))
    places = sorted(above.cells, key=lambda c: -above.baseline_mm(c))
    assert [c.lead for c in places][:2] == ["II", "V1"]
    assert above.size == below.size
    np.testing.assert_array_equal(above.observed(900, 90.0), below.observed(900, 90.0))
    assert above.locate(*map(float, above.to_pixel(places[1], 3.0, 0.1)))[0] == "V1"


def test_a_layout_that_does_not_fit_names_those_that_do() -> None:
    with pytest.raises(LayoutError, match=r"12 rows.*On this paper fit: 3x4, 3x4\+II") as caught:
        PAPERS["double"].page("12x1")
    assert "12x1" not in str(caught.value).split("fit: ")[1]
    with pytest.raises(LayoutError, match="unknown layout"):
        PAPERS["muse"].page("2x6")
    with pytest.raises(LayoutError, match="all that fits"):
        PAPERS["muse"].page("3x4", speed=50, seconds=10)


@pytest.mark.parametrize("margins", [(-1.0, 5.0), (float("nan"), 0.0), (200.0, 200.0)])
def test_senseless_margins_are_refused(margins) -> None:
    with pytest.raises(LayoutError):
        Page(get_layout("3x4"), margins_mm=margins)


def test_given_attributes_win_over_the_papers() -> None:
    fast = PAPERS["cardiovit50"]
    assert fast.page("6x2").window == (0.0, 5.0)
    assert fast.page("6x2", speed=25.0).window == (0.0, 10.0)
    assert fast.page("6x2", speed=25.0).speed == 25.0
    assert fast.page("6x2", seconds=4.0).window == (0.0, 4.0)


def test_the_command_draws_the_whole_paper(tmp_path, capsys) -> None:
    record = tmp_path / "r.npy"
    np.save(record, beats(100, 1))
    sizes = {}
    for style, extra in (
        ("cardiovit50", ["--layout", "6x2"]),
        ("upright", ["--layout", "12x1"]),
        ("strip", ["--layout", "1x1:II", "--speed", "20"]),
        ("mixed", ["--seed", "4"]),
    ):
        out = tmp_path / f"{style}.png"
        words = ["render", str(record), "--rate", "100", "--dpi", "60", "--out", str(out)]
        assert main([*words, "--style", style, *extra]) == 0
        sizes[style] = capsys.readouterr().out
    assert "702 x 496 px, 6x2, 0 to 5 s" in sizes["cardiovit50"]
    assert "496 x 702 px, 12x1, 0 to 7.5 s" in sizes["upright"]
    assert "661 x 142 px, 1x1:II, 0 to 10 s" in sizes["strip"]
    out = ["--out", str(tmp_path / "x.png")]
    assert main(["render", str(record), "--rate", "100", *out, "--style", "fancy"]) == 2
    assert "cardiovit50" in capsys.readouterr().err
    short = ["--style", "double", "--layout", "12x1"]
    assert main(["render", str(record), "--rate", "100", *out, *short]) == 2
    assert "On this paper fit: 3x4" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


# chance -------------------------------------------------------------------------------


def test_random_papers_repeat_and_cover_every_paper() -> None:
    for layout in (None, "3x4+II", "6x2"):
        drawn = []
        for seed in range(400):
            a, b = (random_paper(np.random.default_rng(seed), layout) for _ in range(2))
            assert a == b
            drawn.append(a)
        wanted = [p for p in PAPERS.values() if layout is None or layout in p.layouts]
        assert all(paper in drawn for paper in wanted)
        known = list(PAPERS.values())
        assert all(p in known or p.follows == PAPERS["kit"].follows for p in drawn)
        assert all(layout is None or layout in p.layouts for p in drawn)
    assert random_style(np.random.default_rng(3)) == random_paper(np.random.default_rng(3)).style


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_random_paper_fits_its_layout(layout: str) -> None:
    for seed in range(60):
        page = random_paper(np.random.default_rng(seed), layout).page(layout, dpi=50)
        assert page.layout is get_layout(layout)


def test_every_paper_is_usual_with_a_layout_that_training_draws_or_a_special_one() -> None:
    special = {"nordic", "strip"}  # Cabrera's order, and single leads
    for name, paper in PAPERS.items():
        assert (set(paper.layouts).isdisjoint(RANDOM_LAYOUTS)) == (name in special)


def test_one_generator_goes_on_from_draw_to_draw() -> None:
    rng = np.random.default_rng(0)
    assert len({random_style(rng) for _ in range(50)}) > 20


# headers ------------------------------------------------------------------------------


def test_invented_measurements_are_plausible_and_know_nothing_of_the_recording() -> None:
    seen = [invent(np.random.default_rng(seed)) for seed in range(300)]
    assert seen[7] == invent(np.random.default_rng(7))
    for name, (low, high, step) in MEASUREMENTS.items():
        values = np.array([int(fields[name]) for fields in seen])
        assert low <= values.min() <= values.max() < high
        assert ((values - low) % step == 0).all()
        assert values.std() > (high - low) / 5  # uniform: 0.29 of the range
    rates, qts = (np.array([int(f[k]) for f in seen]) for k in ("rate", "qt"))
    assert abs(np.corrcoef(rates, qts)[0, 1]) < 0.2


def test_the_page_around_the_traces_is_the_same_whatever_the_recording() -> None:
    paper = PAPERS["muse"]
    page = paper.page("3x4+II", dpi=60)
    one, two = (draw(beats(100, s), 100.0, page, paper.style, seed=5).image for s in (1, 2))
    head = int(20 * page.px_per_mm)  # above what R waves reach
    np.testing.assert_array_equal(one[:head], two[:head])
    other = draw(beats(100, 1), 100.0, page, paper.style, seed=6).image
    assert (one[:head] != other[:head]).any()


def test_header_lines_stop_at_the_first_row() -> None:
    style = PAPERS["muse"].style
    lines = fill(style.header_lines, np.random.default_rng(0))
    for layout in RANDOM_LAYOUTS:
        page = Page(get_layout(layout), dpi=80)
        parts = page_annotations.header(page, style, lines, invented=True)
        assert parts
        lowest = max(p.top + p.coverage.shape[0] for p in parts)
        assert lowest <= (page.head_mm + 2) * page.px_per_mm  # a descender's depth
    all_given = page_annotations.header(Page(get_layout("12x1"), dpi=80), style, lines)
    assert len({p.top for p in all_given}) >= len(lines)


def test_unknown_fields_are_named() -> None:
    with pytest.raises(ConfigError, match=r"diagnosis.*qrs"):
        fill(["{diagnosis}"], np.random.default_rng(0))


# text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("font", ["sans", "mono bold", "serif"])
def test_text_in_pieces_reads_as_the_whole(font: str) -> None:
    text = "QT/QTc  440/405 ms, P 26"
    whole, below, right = text_coverage(text, 9.0, 300, font)
    parts = pieces(text, 9.0, 300, font)
    left = min(r for c, _, r in parts if c.size)
    end = max(r + c.shape[1] for c, _, r in parts)
    assert left == pytest.approx(right, abs=1)
    assert end - left == pytest.approx(whole.shape[1], abs=4)
    top = min(b for c, b, _ in parts if c.size)
    assert top == pytest.approx(below, abs=1)
    canvas = np.zeros((whole.shape[0] + 8, whole.shape[1] + 16), int)
    for cover, b, r in parts:
        y, x = b - below + 2, r - right + 2
        canvas[y : y + cover.shape[0], x : x + cover.shape[1]] += cover
    assert canvas.sum() == pytest.approx(int(whole.sum()), rel=0.03)


def test_random_numbers_are_found_in_the_cache() -> None:
    from ecgvision.render import text

    paper = PAPERS["muse"]
    page = paper.page("3x4+II", dpi=70)
    for seed in range(30):
        draw(BLANK, 100.0, page, paper.style, seed=seed)
    before = text._drawn.cache_info().misses
    for seed in range(30, 60):
        draw(BLANK, 100.0, page, paper.style, seed=seed)
    assert text._drawn.cache_info().misses - before <= 3


def test_fonts_and_colours_of_text() -> None:
    page = Page(get_layout("3x4"), dpi=100)
    base = get_style("plain", pulse=False, separators=False)
    red = draw(BLANK, 100.0, page, replace(base, text_rgb=(255, 0, 0))).image
    assert (red[..., 0] == 255).all()
    assert (red[..., 1] < 60).any()
    pictures = [
        draw(BLANK, 100.0, page, replace(base, font=font)).image
        for font in ("sans", "sans bold", "mono", "mono bold", "serif")
    ]
    assert all((a != b).any() for a, b in itertools.combinations(pictures, 2))


def test_names_stand_where_the_style_says() -> None:
    page = PAPERS["cardiovit"].page("6x2", dpi=100)
    for place in ("below", "above", "left"):
        style = get_style("kit", name_place=place)
        parts = {p.cell: p for p in page_annotations.labels(page, style) if p.cell is not None}
        for i, cell in enumerate(page.cells):
            x, y = (float(v) for v in page.to_pixel(cell, cell.start, 0.0))
            part = parts[i]
            bottom, right = part.top + part.coverage.shape[0], part.left + part.coverage.shape[1]
            if place == "below":
                assert part.top > y
            elif place == "above" or cell.column > 0:
                assert bottom < y
                assert part.left >= x
            else:
                assert part.top < y < bottom
                assert right <= page.left_mm * page.px_per_mm


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"minor": "waves"}, "lines, dots, none"),
        ({"name_place": "right"}, "below, above, left"),
        ({"scale_place": "top"}, "foot"),
        ({"font": "comic"}, "mono bold"),
        ({"grid_pt": (0.5, 0.0)}, "grid_pt"),
        ({"note_pt": 100.0}, "note_pt"),
        ({"separator_mm": 0.0}, "separator_mm"),
        ({"text_rgb": (0, 0, -1)}, "0 to 255"),
        ({"scale_words": "{rate}"}, "scale_words"),
    ],
)
def test_senseless_looks_are_refused(changes, says) -> None:
    with pytest.raises(ConfigError, match=says):
        get_style("kit", **changes)
