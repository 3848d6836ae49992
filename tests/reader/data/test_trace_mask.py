"""The truth of ink against the picture itself, and against the places of samples."""

from __future__ import annotations

import numpy as np
import pytest

from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.network_input import to_network
from ecgvision.reader.data.places import network_fractions, sample_places
from ecgvision.reader.data.trace_mask import trace_mask
from ecgvision.render import artefacts
from ecgvision.render.draw import draw
from ecgvision.store.packed import Store

SIZE = (432, 560)


def page_of(store, layout: str, artefact: str = "clean"):
    signal = Store(store).read(2)
    page = Page(get_layout(layout), dpi=100)
    image = draw(signal, 100.0, page).image
    picture = artefacts.apply(artefact, image, seed=3, dpi=100)
    return signal, page, picture, trace_mask(page, signal, 100.0, picture.warp, SIZE)


@pytest.mark.parametrize("artefact", ["clean", "photo"])
@pytest.mark.parametrize("layout", ["3x4+II", "12x1"])
def test_the_trace_is_where_the_picture_is_dark(tiny_store, layout: str, artefact: str) -> None:
    _, _, picture, (mask, _) = page_of(tiny_store, layout, artefact)
    grey = to_network(picture.image, SIZE).astype(float).mean(-1)
    # darker than what is around: the grid is light, a photo has shadows
    ink = np.array([np.roll(grey, d, 0) for d in (-5, 5)]).mean(0) - grey
    assert 0.005 < (mask > 127).mean() < 0.08
    assert ink[mask > 127].mean() > 20
    assert ink[mask == 0].mean() < 2


def test_both_places_of_a_lead_that_stands_twice_are_drawn(tiny_store) -> None:
    _, page, picture, (mask, _) = page_of(tiny_store, "3x4+II")
    for cell in page.cells:
        if cell.lead != "II":
            continue
        seconds = cell.start + np.arange(0.1, 2.0, 0.02)
        middle = np.stack(page.to_pixel(cell, seconds, np.zeros_like(seconds)), -1)
        points = network_fractions(middle, picture.warp.size, SIZE) * SIZE[::-1]
        columns, rows = points.astype(int).T
        band = np.stack([mask[rows + d, columns] for d in range(-30, 31)])
        assert (band.max(0) > 60).mean() > 0.9


def test_below_leads_to_the_zero_line(tiny_store) -> None:
    _, page, picture, (_, below) = page_of(tiny_store, "12x1")
    assert below.shape == (SIZE[0] // 2, SIZE[1] // 2)
    known = np.isfinite(below)
    assert known.mean() > 0.01
    place = sample_places(page, 1000, 100.0, picture.warp)[0]
    zeros = np.unique(network_fractions(place, picture.warp.size, SIZE)[:, 0, 1])
    y = (np.nonzero(known)[0] + 0.5) / below.shape[0] + below[known].astype(float)
    off = np.abs(y[:, None] - zeros).min(1)
    assert off.max() < 1e-3
    assert len(zeros) == 12


def test_what_was_not_recorded_is_not_drawn(tiny_store) -> None:
    signal, page, picture, (mask, _) = page_of(tiny_store, "12x1")
    holed = signal.copy()
    holed[:6] = np.nan
    holed[8, 300:500] = np.nan
    less, below = trace_mask(page, holed, 100.0, picture.warp, SIZE)
    assert (less[: SIZE[0] // 4] == 0).all()
    assert (less <= mask).all()
    assert 0.3 < (less > 0).sum() / (mask > 0).sum() < 0.7
    nothing, _ = trace_mask(page, np.full_like(signal, np.nan), 100.0, picture.warp, SIZE)
    assert not nothing.any()
    assert np.isfinite(below).any()
