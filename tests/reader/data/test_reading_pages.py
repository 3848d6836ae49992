"""Pages of which nothing can be read, and what is drawn over pages that were."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ecgvision.data.pages import PageSettings
from ecgvision.reader.data.page_variation import PageVariation
from ecgvision.reader.data.pages import ReadingDataset
from ecgvision.reader.overlay import draw_reading
from ecgvision.store.packed import Store

MIX = PageSettings(layouts=("3x4+II",), image_size=(64, 96), style="kit", dpi=30, train_dpi=(30.0,))


def test_a_share_of_training_pages_holds_nothing(tiny_store: Path) -> None:
    stores = [Store(tiny_store)]
    plain = ReadingDataset(stores, MIX)
    mixed = ReadingDataset(stores, MIX, beyond=PageVariation(unreadable=0.3))
    empty = 0
    for i in range(60):
        a, b = plain[(0, i)], mixed[(0, i)]
        assert a["printed"].any()
        if b["printed"].any():
            assert (a["image"] == b["image"]).all()  # the others are what they were
            continue
        empty += 1
        assert (b["signal"] == 0).all()
        assert b["place"].isnan().all()
        assert not (a["image"] == b["image"]).all()
    assert 9 <= empty <= 28  # 18 expected, deviation 3.5
    judged = ReadingDataset(stores, MIX, train=False, beyond=PageVariation(0.5, 0.5, 0.9))
    assert all(judged[(0, i)]["printed"].any() for i in range(10))


def test_what_was_read_is_drawn_where_it_was_found() -> None:
    page = np.full((100, 200, 3), 255, np.uint8)
    trace = np.full((12, 50, 2), np.nan)
    trace[1, :, 0], trace[1, :, 1] = np.linspace(0.25, 0.75, 50), 0.5
    found = np.zeros((12, 50), bool)
    found[1, :25] = True
    drawn = draw_reading(page, trace, found)
    assert drawn.shape == (800, 1600, 3)
    ink = np.argwhere((drawn != 255).any(-1))
    assert abs(ink[:, 0].mean() - 400) < 4
    assert abs(ink[:, 1].min() - 400) < 8
    assert abs(ink[:, 1].max() - 800) < 12
    assert np.array_equal(page, np.full_like(page, 255))
    assert (draw_reading(page, trace, np.zeros_like(found)) == 255).all()
