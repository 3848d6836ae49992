"""Columns found by the changes of leads, on maps made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.layouts import get_layout
from ecgvision.reader.layout.arrangement import arrange
from ecgvision.reader.layout.columns import (
    Columns,
    Edges,
    find_edges,
    fit_columns,
    seen_changes,
)
from ecgvision.reader.layout.rows import Mark, Row
from tests.flat_pages import blank_maps

WIDTH = 320


def bumps(places: Sequence[float], height: float = 1.0) -> np.ndarray:
    """A row of cells that are sure within half a millimetre of places."""
    at = np.arange(WIDTH) + 0.5
    return height * np.max([np.clip(1.5 - np.abs(at - x), 0, 1) for x in places], axis=0, initial=0)


def edges_of(rows: Sequence[Sequence[float]]) -> Edges:
    """Edges of rows whose leads begin and end at places, the first and last of them ends."""
    start = np.array([bumps(places[:-1]) for places in rows], np.float32)
    end = np.array([bumps(places[1:]) for places in rows], np.float32)
    return Edges(start, end)


@given(count=st.integers(1, 6), left=st.floats(8, 25), total=st.floats(190, 270),
       off=st.tuples(st.floats(-5, 5), st.floats(-8, 8)))  # fmt: skip
def test_columns_are_where_leads_change(
    count: int, left: float, total: float, off: tuple[float, float]
) -> None:
    places = left + np.linspace(0, total, count + 1)
    found = fit_columns(edges_of([places] * 3), left + off[0], left + total + off[1], count)
    assert found.number == count
    assert found.left == pytest.approx(left, abs=0.4)
    assert found.right == pytest.approx(left + total, abs=0.5)
    assert found.inner == pytest.approx(places[1:-1], abs=0.4)


def test_a_change_that_is_missed_or_strays_moves_nothing() -> None:
    places = 15 + 62.5 * np.arange(5)
    rows = [list(places), [*places[:2], *places[3:]], sorted([*places, 101.0]),
            [places[0], places[-1]]]  # the last is a strip  # fmt: skip
    found = fit_columns(edges_of(rows), 19.0, 262.0, 4)
    assert found.left == pytest.approx(15, abs=0.3)
    assert found.pitch == pytest.approx(62.5, abs=0.1)


def test_where_nothing_is_seen_columns_share_the_rows_equally() -> None:
    blank = np.zeros((3, WIDTH), np.float32)
    assert fit_columns(Edges(blank, blank), 20.0, 270.0, 4) == Columns(
        pytest.approx(20, abs=0.3), pytest.approx(62.5, abs=0.2), 4
    )
    none = np.zeros((0, WIDTH), np.float32)
    assert fit_columns(Edges(none, none), 20.0, 270.0, 4) == Columns(20.0, 62.5, 4)


def test_edges_are_those_near_the_rows() -> None:
    maps = blank_maps((100, 120))
    maps.start[28:33, 40] = 0.8
    maps.end[31, 40] = 0.6
    maps.start[50, 60] = 0.9  # far from every row
    edges = find_edges(maps, [Row(30.0, 10, 110), Row(70.0, 10, 110)])
    assert edges.start.shape == edges.end.shape == (2, 120)
    assert edges.start[0, 40] == np.float32(0.8)
    assert edges.change[0, 40] == np.float32(0.6)
    assert not edges.start[:, 60].any()
    assert not edges.start[1].any()
    assert find_edges(maps, []).start.shape == (0, 120)


def test_a_change_lies_at_the_centre_of_its_cells() -> None:
    change = bumps([20.3, 80.9], 0.9).astype(np.float32)
    change[50] = 0.2  # too faint
    found = seen_changes(change)
    assert [x for x, _ in found] == pytest.approx([20.3, 80.9], abs=0.35)
    assert [p for _, p in found] == pytest.approx([0.9, 0.9])
    assert seen_changes(np.zeros(9, np.float32)) == []


def names_at(layout: str, left: float, pitch: float, rows: Sequence[Row]) -> list[Mark]:
    return [Mark(cell.label, left + cell.column * pitch + 3, rows[cell.row].y + 7, 0.95)
            for cell in get_layout(layout).cells]  # fmt: skip


def test_a_page_with_further_columns_is_read_in_those_of_the_leads() -> None:
    rows = [Row(30.0 + 30 * k, 10.0, 260.0) for k in range(3)]
    places = 10 + 50.0 * np.arange(6)  # five columns of two seconds
    marks = names_at("3x4", 10, 50, rows)
    found = arrange(rows, marks, edges=edges_of([places] * 3))
    assert found.name == "3x4"
    assert {round(s.left) for s in found.segments} == {10, 60, 110, 160}
    assert {round(s.right) for s in found.segments} == {60, 110, 160, 210}
    assert {round(s.start, 1) for s in found.segments} == {0.0, 2.0, 4.0, 6.0}
    assert found.seen == pytest.approx(1, abs=0.05)


def test_pulses_after_the_traces_are_no_part_of_them() -> None:
    rows = [Row(30.0 + 30 * k, 20.0, 285.0) for k in range(4)]  # seen to the pulse's end
    places = 18 + 62.3 * np.arange(5)
    marks = names_at("3x4+II", 18, 62.3, rows)
    edges = edges_of([[*places, 273.0]] * 3 + [[places[0], places[-1], 273.0]])
    found = arrange(rows, marks, edges=edges)
    assert found.name == "3x4+II"
    short = [s for s in found.segments if not s.strip]
    assert sorted({s.left for s in short}) == pytest.approx(places[:4], abs=0.3)
    # columns of nearly 2.5 s share ten seconds equally
    assert {s.start for s in short} == {0.0, 2.5, 5.0, 7.5}
    (strip,) = (s for s in found.segments if s.strip)
    assert strip.right == pytest.approx(places[-1], abs=0.5)


@pytest.mark.parametrize(("changes", "name"), [(True, "3x4"), (False, "3x4+II")])
def test_changes_tell_a_strip_from_a_row_of_the_grid(changes: bool, name: str) -> None:
    """Without names, four rows of which the uppermost or the lowest is something else."""
    rows = [Row(30.0 + 30 * k, 20.0, 270.0) for k in range(4)]
    grid, line = 20 + 62.5 * np.arange(5), [20.0, 270.0]
    edges = edges_of([line, *[grid] * 3] if changes else [*[grid] * 3, line])
    found = arrange(rows, [], edges=edges)
    first = {s.row for s in found.segments if s.lead == "I"}
    assert first == ({1} if changes else {0})
    assert found.name.startswith(name)
