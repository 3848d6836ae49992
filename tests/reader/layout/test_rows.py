"""Rows and marks on maps made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.reader.layout.maps import MARKS, PageMaps
from ecgvision.reader.layout.rows import Mark, find_marks, find_rows, names_twice
from tests.flat_pages import blank_maps


def with_row(maps: PageMaps, y: float, left: int, right: int, wide: float = 1.0) -> None:
    """A row as the truth of training shows it: cells near its line, and how far below they are."""
    middles = np.arange(maps.row.shape[0]) + 0.5
    near = np.abs(middles - y) <= wide
    maps.row[near, left:right] = 0.9
    maps.offset[near, left:right] = (y - middles[near])[:, None]


@given(first=st.floats(10, 20), steps=st.lists(st.floats(12, 30), min_size=1, max_size=5),
       left=st.integers(0, 40), length=st.integers(30, 200))  # fmt: skip
def test_rows_are_found_where_they_are(
    first: float, steps: list[float], left: int, length: int
) -> None:
    heights = np.cumsum([first, *steps])
    maps = blank_maps((int(heights[-1]) + 20, 260))
    for y in heights:
        with_row(maps, y, left, left + length)
    found = find_rows(maps)
    assert [row.y for row in found] == pytest.approx(heights.tolist(), abs=1e-5)
    assert {(row.left, row.right) for row in found} == {(left, left + length)}


def test_a_row_may_have_gaps_and_no_row_is_short() -> None:
    maps = blank_maps((120, 200))
    with_row(maps, 20.3, 10, 90)
    with_row(maps, 20.3, 101, 180)  # 11 mm apart
    with_row(maps, 60.0, 10, 90)
    with_row(maps, 60.0, 110, 125)  # 20 mm apart
    with_row(maps, 100.0, 10, 29)  # 19 mm long
    found = find_rows(maps)
    assert [(row.left, row.right) for row in found] == [(10, 180), (10, 90)]
    assert [row.y for row in found] == pytest.approx([20.3, 60.0], abs=1e-5)
    assert find_rows(blank_maps((40, 50))) == []


def test_a_row_needs_more_than_half_a_chance() -> None:
    maps = blank_maps((60, 100))
    with_row(maps, 30.0, 0, 100)
    maps.row[maps.row > 0] = 0.5
    assert find_rows(maps) == []
    maps.row[maps.row > 0] = 0.51
    assert len(find_rows(maps)) == 1


@given(x=st.floats(3, 76), y=st.floats(3, 56), kind=st.integers(0, len(MARKS) - 1))
def test_a_mark_lies_at_the_centre_of_its_cells(x: float, y: float, kind: int) -> None:
    maps = blank_maps((60, 80))
    place = [np.clip(1.5 - np.abs(np.arange(n) + 0.5 - v), 0, 1) for n, v in ((60, y), (80, x))]
    maps.marks[kind] = np.outer(*place)
    (mark,) = find_marks(maps)
    assert mark.kind == MARKS[kind]
    assert mark.x == pytest.approx(x, abs=0.3)
    assert mark.y == pytest.approx(y, abs=0.3)
    assert 0.25 <= mark.probability <= 1


def test_marks_of_a_kind_are_five_cells_apart_and_of_two_kinds_may_coincide() -> None:
    maps = blank_maps((40, 60))
    names = {name: k for k, name in enumerate(MARKS)}
    maps.marks[names["V1"], 10, 10] = 0.9
    maps.marks[names["V1"], 10, 14] = 0.8  # within four
    maps.marks[names["V1"], 10, 15] = 0.7  # beyond
    maps.marks[names["V2"], 10, 10] = 0.3
    maps.marks[names["V3"], 20, 20] = 0.24  # too faint
    maps.marks[names["-aVR"], 0, 0] = 0.5  # in a corner
    found = [(m.kind, m.x, m.y, pytest.approx(m.probability)) for m in find_marks(maps)]
    assert found == [("V1", 10.5, 10.5, 0.9), ("V1", 15.5, 10.5, 0.7), ("-aVR", 0.5, 0.5, 0.5),
                     ("V2", 10.5, 10.5, 0.3)]  # fmt: skip
    assert maps.marks[names["V1"], 10, 10] == np.float32(0.9)  # the maps are left as they were


def test_a_mark_that_is_spread_over_cells_is_as_likely_as_they_are_together() -> None:
    maps = blank_maps((20, 20))
    maps.marks[3, 8:11, 8:11] = 0.3
    (mark,) = find_marks(maps)
    assert (mark.x, mark.y) == pytest.approx((9.5, 9.5), abs=0.6)
    assert mark.probability > 0.3


def test_names_of_two_ecgs_are_seen_twice() -> None:
    names = [Mark(name, 20.0 + 60 * (k % 4), 30.0 + 30 * (k // 4), 0.9)
             for k, name in enumerate(LEADS)]  # fmt: skip
    assert names_twice(names) == 0
    assert names_twice([*names, Mark("II", 20.0, 130.0, 0.9)]) == 1  # a rhythm strip
    assert names_twice([*names, *(m._replace(x=m.x + 5) for m in names)]) == 0  # the same names
    assert names_twice([*names, *(m._replace(y=m.y + 150) for m in names)]) == 12
    assert names_twice([*names, *(m._replace(x=m.x + 280) for m in names)]) == 12
    faint = [m._replace(y=m.y + 150, probability=0.5) for m in names]
    assert names_twice([*names, *faint]) == 0
    assert names_twice([Mark("pulse", 10.0, y, 1.0) for y in (30.0, 90.0)]) == 0
