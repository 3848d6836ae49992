"""Pages beyond the usual: shares of other arrangements and other scales."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
import pytest

from ecgvision.core.errors import ConfigError, LayoutError
from ecgvision.core.layouts import LAYOUTS, get_layout
from ecgvision.core.page import Page
from ecgvision.reader.data.page_variation import GAINS, SPEEDS, PageVariation


def test_shares_are_kept() -> None:
    rng = np.random.default_rng(0)
    beyond = PageVariation(arrangement=0.3, scale=0.4, unreadable=0.2, cut=0.5)
    make = partial(Page, get_layout("3x4"))
    other = sum(beyond.layout("3x4", rng) != "3x4" for _ in range(1000))
    scales = Counter((p.gain, p.speed) for p in (beyond.page(make, rng) for _ in range(1200)))
    assert 240 < other < 360
    assert set(scales) == {(g, s) for g in GAINS for s in SPEEDS}
    usual = scales.pop((10.0, 25.0))
    assert 760 < usual < 900  # 60 %, and of the others a third of three quarters
    assert sum(n for (_, speed), n in scales.items() if speed == 50) == pytest.approx(120, abs=35)
    assert min(scales.values()) > 20
    assert 140 < sum(beyond.spoils(rng) for _ in range(1000)) < 260
    assert 420 < sum(beyond.cuts(rng) for _ in range(1000)) < 580


def test_none_draws_nothing() -> None:
    rng, untouched = np.random.default_rng(0), np.random.default_rng(0)
    nothing = PageVariation()
    assert nothing.layout("6x2", rng) == "6x2"
    assert nothing.page(partial(Page, get_layout("6x2")), rng).gain == 10
    assert not nothing.spoils(rng)
    assert not nothing.cuts(rng)
    assert rng.random() == untouched.random()


def test_what_does_not_fit_stays_as_it_is() -> None:
    def make(**scale: float) -> Page:
        if scale:
            raise LayoutError("too high")
        return Page(get_layout("3x4"), gain=10.0)

    rng = np.random.default_rng(0)
    assert {PageVariation(scale=0.99).page(make, rng).gain for _ in range(20)} == {10.0}


def test_any_arrangement_can_be_drawn() -> None:
    rng = np.random.default_rng(0)
    beyond = PageVariation(arrangement=0.999)
    names = [name for name in (beyond.layout("3x4", rng) for _ in range(300)) if name != "3x4"]
    assert len(set(names)) > 200
    assert not set(names) & set(LAYOUTS)
    layouts = [get_layout(name) for name in names]
    assert {len(layout.leads) for layout in layouts} >= {1, 2, 4, 6, 12}
    assert {layout.columns for layout in layouts} >= {1, 2, 3, 4}
    assert max(layout.rows + layout.strips for layout in layouts) == 12


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
@pytest.mark.parametrize("name", ["arrangement", "scale", "unreadable", "cut"])
def test_a_share_is_below_one(name: str, share: float) -> None:
    with pytest.raises(ConfigError, match=f"data.{name}"):
        PageVariation(**{name: share})
