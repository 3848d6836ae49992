"""Occlusion of pictures: the place that a network decides by, on the page and as lead and time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ecgvision.cli import main
from ecgvision.core.ecg import LEAD_INDEX
from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.network_input import placement, to_network
from ecgvision.interpret.page_occlusion import page_occlusion, to_leads
from ecgvision.interpret.pictures import overlay
from tests.deploy import conftest as by_hand

PAGE = Page(get_layout("3x4"), dpi=40)
LEAD, SECONDS = "V2", (5.5, 7.0)
"""What the network decides by, in the third column of the page."""

SIZE = (200, 300)


def place():
    """The box of the lead and time in the picture at the network's size: rows, columns."""
    cell = next(c for c in PAGE.cells if c.lead == LEAD)
    x, y = PAGE.to_pixel(cell, np.array(SECONDS), 0.0)
    put = placement(PAGE.size, SIZE)
    scale = put.width / PAGE.size[1]
    reach = 0.4 * PAGE.row_mm * PAGE.px_per_mm
    middle = float(np.ravel(y)[0])
    rows = [round((middle + d) * scale) + put.top for d in (-reach, reach)]
    return slice(*rows), slice(*(round(v * scale) + put.left for v in x))


def ink(batch):
    """A network whose first logit is the ink in that place, in thousands."""
    dark = 255.0 - batch.mean(axis=1)
    rows, columns = place()
    first = dark[:, rows, columns].sum(axis=(1, 2)) / 1000
    return np.stack([first, 0 * first], axis=1)


@pytest.fixture(scope="module")
def image():
    page = np.full((*PAGE.size, 3), 255, np.uint8)
    rng = np.random.default_rng(0)
    page[rng.random(PAGE.size) < 0.1] = 0  # ink everywhere
    return to_network(page, SIZE)


def test_heat_lies_where_the_network_looks(image):
    heat = page_occlusion(ink, image, 0, across=60)
    rows, columns = place()
    inside = np.zeros(SIZE, bool)
    inside[rows, columns] = True
    around = cv2.dilate(inside.astype(np.uint8), np.ones((13, 13))) > 0
    assert heat[around].sum() == pytest.approx(heat.sum())
    assert heat.sum() == pytest.approx(ink(image.transpose(2, 0, 1)[None])[0, 0], rel=0.02)
    assert (page_occlusion(ink, image, 1, across=5) == 0).all()
    with pytest.raises(ConfigError, match="squares"):
        page_occlusion(ink, image, 0, across=0)


def test_the_geometry_gives_lead_and_time(image):
    heat = page_occlusion(ink, image, 0, across=60)
    found = to_leads(heat, PAGE, length=1000, rate=100.0)
    assert np.nanargmax(np.nansum(found, axis=1)) == LEAD_INDEX[LEAD]
    row = np.nan_to_num(found[LEAD_INDEX[LEAD]])
    inside = row[int(SECONDS[0] * 100) - 20 : int(SECONDS[1] * 100) + 20].sum()
    assert inside > 0.9 * row.sum() > 0
    assert np.nansum(found) == pytest.approx(heat.sum(), rel=0.1)
    np.testing.assert_array_equal(np.isnan(found), ~PAGE.observed(1000, 100.0))


def test_the_overlay_colours_what_supports_and_what_speaks_against():
    page, heat = np.full((60, 90, 3), 255, np.uint8), np.zeros((60, 90))
    heat[10:20, 10:20], heat[40:50, 70:80] = 1.0, -1.0
    found = overlay(page, heat).astype(int)
    assert found[15, 15, 0] > found[15, 15, 2]
    assert found[45, 75, 2] > found[45, 75, 0]
    np.testing.assert_array_equal(found[30, 45], 255)


def test_a_bundles_answer_to_a_picture_is_explained(tmp_path, capsys):
    folder = by_hand.write_bundle(tmp_path / "bundle")
    picture = np.full((96, 128, 3), 255, np.uint8)
    picture[20:60, 20:60] = (0, 0, 200)
    cv2.imwrite(str(tmp_path / "page.png"), picture)
    words = ["explain", str(folder), "--picture", str(tmp_path / "page.png")]
    assert main([*words, "--label", "MI", "--out", str(tmp_path / "why.png")]) == 0
    assert capsys.readouterr().out.startswith("MI: probability")
    assert cv2.imread(str(tmp_path / "why.png")).shape == (96, 128, 3)
    assert main([*words, "--label", "XYZ", "--out", str(tmp_path / "no.png")]) == 2
    assert "no such label" in capsys.readouterr().err
    assert main([*words, "--out", str(tmp_path / "no.jpg")]) == 2
    assert main(["explain", str(folder), "--out", str(tmp_path / "no.png")]) == 2
    assert "--record or --picture" in capsys.readouterr().err
