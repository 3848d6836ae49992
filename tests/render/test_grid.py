from __future__ import annotations

import numpy as np
import pytest

from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.render.grid import empty_page, line_coverage
from ecgvision.render.papers.named import get_style


def paper(page: Page, style) -> np.ndarray:
    templates, which = empty_page(page, style)
    return templates[which]


@pytest.mark.parametrize("dpi", [100, 200, 300])
def test_lines_fall_where_agg_snaps_them(dpi: int) -> None:
    # a major line is centred on the pixel that holds it: pure major colour at every 5 mm
    page = Page(get_layout("3x4"), dpi=dpi)
    image = paper(page, get_style("kit", grid_rgb=((0, 0, 0), (255, 255, 255)), frame=False))
    step = dpi / 25.4
    columns = np.floor(np.arange(1, 55) * 5 * step + 0.5).astype(int)
    half = min(1.0, 0.5 * dpi / 72)
    clear = image[round(2.5 * step), :, 0]
    assert (clear[columns] <= 255 * (1 - half) + 1).all()
    between = np.floor((np.arange(1, 55) * 5 + 2.5) * step).astype(int)
    assert (clear[between] == 255).all()


def test_minor_horizontals_cut_major_verticals() -> None:
    page = Page(get_layout("3x4"), dpi=200)
    image = paper(page, get_style("kit", frame=False))
    x = int(np.floor(5 * page.px_per_mm + 0.5))
    y = int(np.floor(page.size[0] - 6 * page.px_per_mm + 0.5))
    assert tuple(image[y, x]) == (254, 223, 219)
    assert tuple(image[y - 4, x]) == (255, 0, 0)


def test_coverage_adds_up_to_the_width() -> None:
    cover = line_coverage(np.array([10.2, 40.9]), 1.3889, 60)
    assert cover.sum() / 255 == pytest.approx(2 * 1.3889, abs=0.03)
    assert cover[10] == 255
    assert cover[41] == 255


def test_without_grid_and_frame_paper_is_blank() -> None:
    style = get_style("plain", paper_rgb=(250, 245, 240))
    image = paper(Page(get_layout("3x4"), dpi=60), style)
    assert (image == (250, 245, 240)).all()


def test_shared_rows_cannot_be_written() -> None:
    templates, _ = empty_page(Page(get_layout("3x4"), dpi=60), get_style())
    with pytest.raises(ValueError, match="read-only"):
        templates[0] = 0


def test_dots_stand_where_minor_lines_would_cross() -> None:
    page = Page(get_layout("3x4"), dpi=254)  # 10 px a mm
    kinds = {
        minor: paper(page, get_style("kit", minor=minor, frame=False, grid_pt=(0.5, 0.8)))
        for minor in ("lines", "dots", "none")
    }
    white = (255, 255, 255)
    ys, xs = page.size[0] - np.array([10, 20, 30]), np.array([10, 20, 30])
    for y in ys:
        for x in xs:
            assert kinds["dots"][y, x].sum() < 3 * 255 - 20
            assert tuple(kinds["dots"][y - 5, x]) == white  # between dots
            assert tuple(kinds["dots"][y, x + 5]) == white
            assert tuple(kinds["none"][y, x]) == white
            assert tuple(kinds["lines"][y - 5, x]) != white
    # majors run through in all three; without minors nothing cuts them
    x = int(np.floor(50 + 0.5))
    assert (kinds["none"][:, x] != white).any(1).all()
    assert (kinds["none"][ys, x] == kinds["none"][ys - 5, x]).all()
    assert (kinds["dots"][:, x] == kinds["none"][:, x]).all()
    assert (kinds["lines"][:, x] != kinds["none"][:, x]).any()


def test_widths_of_the_grid_follow_the_style() -> None:
    page = Page(get_layout("3x4"), dpi=254)
    thin, thick = (
        paper(page, get_style("kit", frame=False, grid_pt=(pt, 0.5), minor="none"))[5, 40:60, 1]
        for pt in (0.5, 1.5)
    )
    ink = [(255 - line.astype(int)).sum() / 255 for line in (thin, thick)]
    assert ink == pytest.approx([0.5 * 254 / 72, 1.5 * 254 / 72], abs=0.05)


def test_new_fields_are_part_of_the_cache_key() -> None:
    page = Page(get_layout("3x4"), dpi=60)
    dots, lines = (paper(page, get_style("kit", minor=m)) for m in ("dots", "lines"))
    assert (dots != lines).any()
