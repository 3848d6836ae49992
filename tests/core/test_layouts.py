from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import LayoutError
from ecgvision.core.layouts import (
    LAYOUTS,
    RANDOM_LAYOUTS,
    Cell,
    Layout,
    any_layout,
    get_layout,
    grid,
    pick_layout,
    write_layout,
)
from ecgvision.core.page import Page

TWELVE = [name for name in LAYOUTS if not name.startswith("1x1")]
# PatchECG's layouts, share of 12 x 1000 samples that is printed (Zhang et al., 100 Hz)
COVERAGE = {
    "3x4": 3000,
    "3x4+II": 3750,
    "3x4+II+V1": 4500,
    "6x2": 6000,
    "6x2+II": 6500,
    "12x1": 12000,
}


@pytest.mark.parametrize("name", TWELVE)
def test_every_lead_is_printed_and_no_place_twice(name: str) -> None:
    layout = get_layout(name)
    assert layout.name == name
    assert layout.leads == set(LEADS)
    assert len({(c.row, c.column) for c in layout.cells}) == len(layout.cells)
    assert sorted(c.lead for c in layout.cells if not c.strip) == sorted(LEADS)


@pytest.mark.parametrize("name", TWELVE)
def test_columns_stand_at_their_true_time(name: str) -> None:
    layout = get_layout(name)
    width = layout.seconds / layout.columns
    for cell in layout.cells:
        if cell.strip:
            assert (cell.start, cell.stop) == (0.0, layout.seconds)
        else:
            assert (cell.start, cell.stop) == (cell.column * width, (cell.column + 1) * width)


@pytest.mark.parametrize("name", RANDOM_LAYOUTS)
def test_coverage_of_the_observed_mask(name: str) -> None:
    assert int(Page(get_layout(name)).observed(1000, 100.0).sum()) == COVERAGE[name]


def test_observed_windows_of_3x4_with_a_strip() -> None:
    expected = np.zeros((12, 1000), bool)
    for column in range(4):
        expected[3 * column : 3 * column + 3, 250 * column : 250 * column + 250] = True
    expected[LEADS.index("II")] = True
    np.testing.assert_array_equal(Page(get_layout("3x4+II")).observed(1000, 100.0), expected)


@pytest.mark.parametrize("lead", LEADS)
def test_any_lead_alone(lead: str) -> None:
    seen = Page(get_layout(f"1x1:{lead}")).observed(500, 50.0)
    assert seen[LEADS.index(lead)].all()
    assert seen.sum() == 500


def test_cabrera_prints_the_frontal_plane_in_order_with_avr_upside_down() -> None:
    column = [c.label for c in get_layout("6x2:cabrera").cells if c.column == 0]
    assert column == ["aVL", "I", "-aVR", "II", "aVF", "III"]


def test_cabrera_in_one_column() -> None:
    names = [c.label for c in get_layout("12x1:cabrera").cells]
    assert names == ["aVL", "I", "-aVR", "II", "aVF", "III", "V1", "V2", "V3", "V4", "V5", "V6"]


def test_three_rhythm_strips() -> None:
    layout = get_layout("3x4+V1+II+V5")
    assert [c.lead for c in layout.cells if c.strip] == ["V1", "II", "V5"]
    assert (layout.rows, layout.strips) == (3, 3)


def test_unknown_layout_names_what_is_known() -> None:
    with pytest.raises(LayoutError, match=r"'2x6'.*3x4\+II"):
        get_layout("2x6")


@pytest.mark.parametrize(
    "cell",
    [
        Cell("V7", 1, 0, 5, 0, 0, False),
        Cell("I", 0, 0, 5, 0, 0, False),
        Cell("I", 1, 5, 5, 0, 0, False),
        Cell("I", 1, 0, 10, 0, 0, False),  # wider than its column
        Cell("I", 1, 0, 5, 1, 0, False),
        Cell("I", 1, 0, 5, 0, 2, False),
        Cell("I", 1, 0, 5, 0, 0, True),  # a strip stands below the grid
    ],
)
def test_impossible_cells_are_refused(cell: Cell) -> None:
    with pytest.raises(LayoutError):
        Layout("wrong", (cell,), rows=1, columns=2)


def test_two_cells_in_one_place_are_refused() -> None:
    cells = grid("fine", [["I"], ["II"]]).cells
    with pytest.raises(LayoutError):
        Layout("wrong", (*cells, cells[0]), rows=1, columns=2)


def test_a_layout_can_be_written_out() -> None:
    layout = get_layout("V1.V2.V3_-aVR.I.II+II+V5")
    assert (layout.rows, layout.columns, layout.strips) == (3, 2, 2)
    cells = {(c.row, c.column): (c.label, c.start, c.stop) for c in layout.cells if not c.strip}
    assert cells == {(0, 0): ("V1", 0, 5), (1, 0): ("V2", 0, 5), (2, 0): ("V3", 0, 5),
                     (0, 1): ("-aVR", 5, 10), (1, 1): ("I", 5, 10),
                     (2, 1): ("II", 5, 10)}  # fmt: skip
    assert [c.lead for c in layout.cells if c.strip] == ["II", "V5"]
    twelve = write_layout([["I", "II", "III"], ["aVR", "aVL", "aVF"], ["V1", "V2", "V3"],
                           ["V4", "V5", "V6"]], ["II"])  # fmt: skip
    assert get_layout(twelve).cells == get_layout("3x4+II").cells
    assert get_layout("V5").cells == get_layout("1x1:V5").cells


@pytest.mark.parametrize(("name", "wrong"), [
    ("I.II_III", "one length"), ("I.I", "twice"), ("I_I", "twice"), ("II+II+II", "twice"),
    ("I.aVR_-aVR.II", "twice"), ("I.V7", "unknown"), ("", "unknown"), ("I.", "unknown"),
    ("+II", "unknown"), ("I+", "unknown"), ("any", "unknown"),
])  # fmt: skip
def test_a_layout_written_wrongly_is_refused(name: str, wrong: str) -> None:
    with pytest.raises(LayoutError, match=wrong):
        get_layout(name)


@given(st.integers(0, 10**6))
def test_any_layout_is_one(seed: int) -> None:
    name = pick_layout("any", np.random.default_rng(seed))
    assert name == pick_layout("any", np.random.default_rng(seed))
    layout = get_layout(name)
    shown = [c.lead for c in layout.cells if not c.strip]
    assert len(shown) == len(set(shown)) == layout.rows * layout.columns
    assert layout.rows + layout.strips <= 12
    strips = [[c.lead] for c in layout.cells if c.strip]
    columns = [[c.lead for c in layout.cells if not c.strip and c.column == k]
               for k in range(layout.columns)]  # fmt: skip
    assert write_layout(columns, [lead for (lead,) in strips]) == name


def test_any_is_not_the_usual_order() -> None:
    drawn = [get_layout(any_layout(np.random.default_rng(i))) for i in range(200)]
    order = [[LEADS.index(c.lead) for c in sorted(x.cells, key=lambda c: (c.column, c.row))
              if not c.strip] for x in drawn]  # fmt: skip
    usual = [leads == sorted(leads) for leads in order if len(leads) > 2]
    assert 0.35 < np.mean(usual) < 0.65
    assert 60 < sum(len(leads) == 12 for leads in order) < 140
