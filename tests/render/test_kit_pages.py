"""Against pages of the public ecg-image-kit, where they are at hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgvision.layouts import Layout, get_layout
from ecgvision.page import Page
from ecgvision.records import read_record
from ecgvision.render.paper import draw
from ecgvision.render.styles import get_style

KIT = Path(__file__).resolve().parents[2] / "../shared/data/kit-pages"
pytestmark = pytest.mark.skipif(not KIT.is_dir(), reason="kit pages are not here")


def all_from_zero(name: str) -> Layout:
    """The kit starts every column of these pages at sample 0."""
    layout = get_layout(name)
    cells = [c if c.strip else replace(c, start=0.0, stop=c.stop - c.start) for c in layout.cells]
    return replace(layout, cells=tuple(cells))


# page, layout, record, dpi, pulse
PAGES = {
    "02_store2_bbox_header": (get_layout("3x4+II"), "00001_lr", 200, True),
    "10_bw": (get_layout("3x4+II"), "00001_lr", 200, True),
    "18_dpi100": (get_layout("3x4+II"), "00001_lr", 100, True),
    "04_random_grid_color": (get_layout("3x4+II"), "00001_lr", 200, False),
    "11_nogrid_nopulse": (get_layout("3x4+II"), "00002_lr", 200, False),
    "16_6x2_config_order_sync": (all_from_zero("6x2+II"), "00002_lr", 200, True),
    "2x_direct_3x4": (get_layout("3x4"), "00002_lr", 200, True),
    "2x_direct_3x4_II": (get_layout("3x4+II"), "00002_lr", 200, True),
    "2x_direct_6x2": (get_layout("6x2"), "00002_lr", 200, True),
    "2x_direct_6x2_II": (get_layout("6x2+II"), "00002_lr", 200, True),
    "2x_direct_12x1": (get_layout("12x1"), "00002_lr", 200, True),
}


def kit_json(name: str) -> dict:
    return json.loads((KIT / f"{name}.json").read_text())


@pytest.mark.parametrize("name", PAGES)
def test_points(name: str) -> None:
    layout, record, dpi, pulse = PAGES[name]
    ecg = read_record(KIT / "records" / record)
    page = Page(layout, dpi=dpi, pulse=pulse)
    cells = draw(ecg.signal, ecg.rate, page).geometry.cells
    theirs = kit_json(name)["leads"]
    assert len(theirs) == len(cells)
    # the kit lists a strip last; elsewhere a lead stands once
    strips = [c for c in cells if c.cell.strip]
    for i, lead in enumerate(theirs):
        strip = bool(strips) and i == len(theirs) - 1
        (cell,) = (c for c in cells if c.cell.strip == strip and c.cell.lead == lead["lead_name"])
        assert cell.samples == (lead["start_sample"], lead["end_sample"])
        np.testing.assert_allclose(
            cell.points, np.array(lead["plotted_pixels"])[:, ::-1], atol=0.01, rtol=0
        )


@pytest.mark.parametrize(
    "name",
    [
        "10_bw",
        "18_dpi100",
        "11_nogrid_nopulse",
        "2x_direct_3x4_II",
        "2x_direct_6x2",
        "2x_direct_12x1",
    ],
)
def test_picture(name: str) -> None:
    layout, record, dpi, pulse = PAGES[name]
    ecg = read_record(KIT / "records" / record)
    page = Page(layout, dpi=dpi, pulse=pulse)
    theirs = cv2.cvtColor(cv2.imread(str(KIT / f"{name}.png")), cv2.COLOR_BGR2RGB)
    # where its JSON is silent on the ink, the trace's darkest grey tells
    colour = kit_json(name).get("ecg_plot_color", [theirs[700:720, 20:580].min()])
    grey = round(float(colour[0]))
    style = get_style(
        "bw" if "bw" in name else "kit", ink=(grey, grey, grey), grid="nogrid" not in name
    )
    drawing = draw(ecg.signal, ecg.rate, page, style, mask=True)
    difference = np.abs(drawing.image.astype(int) - theirs).max(2)
    near = cv2.dilate((drawing.mask > 0).astype(np.uint8), np.ones((5, 5))) > 0
    away = cv2.dilate((drawing.mask > 0).astype(np.uint8), np.ones((9, 9))) == 0
    # text is hinted differently by every FreeType, and pulse and bars are judged by eye
    blank = away & ~_printed(page, style, ecg.rate)
    assert difference[blank].max() <= 2
    assert np.abs(drawing.image.astype(int) - theirs)[near].mean() <= 2.0


def _printed(page: Page, style, rate: float) -> np.ndarray:
    """Where bars and text stand, with room for differences of a few pixels."""
    from ecgvision.render import furniture

    found = np.zeros(page.size, np.uint8)
    for part in furniture.bars(page, style, rate) + furniture.labels(page, style):
        h, w = part.coverage.shape
        found[
            max(0, part.top - 3) : part.top + h + 3, max(0, part.left - 3) : part.left + w + 5
        ] = 1
    return found > 0
