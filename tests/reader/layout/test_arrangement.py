"""Arrangements of leads, from rows and names as every usual layout has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.core.layouts import LAYOUTS, Layout, get_layout
from ecgvision.reader.layout.arrangement import PLACES, arrange, extent
from ecgvision.reader.layout.maps import NAMES
from ecgvision.reader.layout.rows import Mark, Row

TWELVE = [name for name in LAYOUTS if not name.startswith("1x1:")]
LEFT, WIDTH = 20.0, 250.0
PLACE_MM = {"below": 7.0, "above": -6.0, "level": 1.0}
APART = {"below": 3.0, "above": 3.0, "level": -8.0}  # from a trace's start to its name


def rows_of(layout: Layout, rng: np.random.Generator, jitter: float = 1.0) -> list[Row]:
    count = layout.rows + layout.strips
    step = 13.0 if count > 9 else 24.0
    return [Row(30 + k * step + jitter * rng.uniform(-0.4, 0.4), LEFT + jitter * rng.uniform(-1, 1),
                LEFT + WIDTH + jitter * rng.uniform(-1, 1)) for k in range(count)]  # fmt: skip


def marks_of(
    layout: Layout, rows: list[Row], place: str, rng: np.random.Generator, jitter: float = 1.0
) -> list[Mark]:
    marks = []
    for cell in layout.cells:
        start = LEFT + cell.column * WIDTH / layout.columns
        apart = APART[place] if cell.column == 0 or place != "level" else 3.0
        marks.append(Mark(cell.label, start + apart + jitter * rng.uniform(-1, 1),
                          rows[cell.row].y + PLACE_MM[place] + jitter * rng.uniform(-0.7, 0.7),
                          float(rng.uniform(0.9, 1.0))))  # fmt: skip
    return marks


def sort(marks: list[Mark]) -> list[Mark]:
    return sorted(marks, key=lambda mark: -mark.probability)


def check(found, layout: Layout) -> None:
    """The arrangement's traces are those of the layout."""
    assert found.name == layout.name
    got = sorted((s.lead, s.sign, s.row, round(s.start, 6), s.strip) for s in found.segments)
    assert got == sorted((c.lead, c.sign, c.row, round(c.start, 6), c.strip) for c in layout.cells)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", TWELVE)
def test_every_layout_is_known_by_its_names(name: str, place: str) -> None:
    layout, rng = get_layout(name), np.random.default_rng(1)
    rows = rows_of(layout, rng)
    found = arrange(rows, sort(marks_of(layout, rows, place, rng)))
    check(found, layout)
    assert found.evidence > 0.85
    assert found.probability > 0.9
    assert all(s.probability > 0.8 for s in found.segments)


@given(name=st.sampled_from(TWELVE), place=st.sampled_from(PLACES), seed=st.integers(0, 2**16),
       fault=st.sampled_from(["none", "missing", "misread", "smudged", "scribble"]))  # fmt: skip
def test_one_fault_of_the_names_changes_nothing(
    name: str, place: str, seed: int, fault: str
) -> None:
    layout, rng = get_layout(name), np.random.default_rng(seed)
    rows = rows_of(layout, rng)
    marks = marks_of(layout, rows, place, rng)
    k = int(rng.integers(12))  # of the grid: what a strip shows is known from its name alone
    other = str(rng.choice([n for n in NAMES if n.lstrip("-") != marks[k].kind.lstrip("-")]))
    if fault == "missing":
        del marks[k]
    elif fault == "misread":
        marks[k] = marks[k]._replace(kind=other, probability=0.6)
    elif fault == "smudged":  # two readings of one place, the wrong one likelier
        marks.append(marks[k]._replace(kind=other, probability=0.5))
        marks[k] = marks[k]._replace(probability=0.4)
    elif fault == "scribble":  # a name where no lead begins
        marks.append(Mark(other, LEFT + 40, rows[0].y - 24, 0.9))
    check(arrange(rows, sort(marks)), layout)


@pytest.mark.parametrize("name", ["3x4", "3x4+II", "6x2", "12x1"])
@pytest.mark.parametrize("where", ["above", "below"])
def test_a_row_of_other_print_is_left_over(name: str, where: str) -> None:
    layout, rng = get_layout(name), np.random.default_rng(2)
    rows = rows_of(layout, rng)
    marks = sort(marks_of(layout, rows, "below", rng))
    short = Row(rows[0].y - 15 if where == "above" else rows[-1].y + 15, LEFT, LEFT + 90)
    kept = arrange(sorted([*rows, short]), marks)
    first = int(where == "above")
    check(
        replace(kept, segments=tuple(replace(s, row=s.row - first) for s in kept.segments)), layout
    )
    long = short._replace(right=LEFT + WIDTH)
    # it is as long as a lead but has no name: it may count as a strip, and moves no lead of the grid
    found = arrange(sorted([*rows, long]), marks)
    got = {(s.lead, s.sign, s.row - first) for s in found.segments if not s.strip}
    assert got >= {(c.lead, c.sign, c.row) for c in layout.cells if not c.strip}


@pytest.mark.parametrize(("count", "name"), [(3, "3x4"), (4, "3x4+II"), (6, "6x2"), (12, "12x1")])
def test_without_names_the_number_of_rows_tells(count: int, name: str) -> None:
    rows = [Row(30.0 + 13 * k, LEFT, LEFT + WIDTH) for k in range(count)]
    for marks in ([], [Mark("pulse", LEFT - 3, 25.0, 1.0)]):
        found = arrange(rows, marks)
        check(found, get_layout(name))
        assert found.evidence == 0
        assert 0 < found.probability <= 1
    assert arrange([], []) is None


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**16), shape=st.sampled_from([(12, 1), (6, 2), (3, 4), (2, 6)]))
def test_leads_in_no_usual_order_stand_as_they_are_named(seed: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    count, columns = shape
    order = rng.permutation(LEADS)
    assume((order == np.array(LEADS)).sum() < 4)  # nor a usual one of which a half is misread
    leads = order.reshape(columns, count).tolist()
    layout = get_layout("_".join(".".join(column) for column in leads))
    rows = rows_of(layout, rng, 0.5)
    found = arrange(rows, sort(marks_of(layout, rows, "above", rng, 0.5)))
    got = {(s.lead, s.row, round(s.start, 6)) for s in found.segments}
    assert got == {(c.lead, c.row, round(c.start, 6)) for c in layout.cells}


def test_a_trace_lies_where_its_column_does() -> None:
    layout = get_layout("3x4:cabrera")
    rng = np.random.default_rng(0)
    rows = rows_of(layout, rng, 0.0)
    found = arrange(rows, marks_of(layout, rows, "below", rng, 0.0), speed=50.0)
    assert found.speed == 50
    for s in found.segments:
        cell = next(c for c in layout.cells if c.lead == s.lead)
        assert s.sign == (-1 if s.lead == "aVR" else 1)
        assert s.left == pytest.approx(LEFT + cell.column * WIDTH / 4)
        assert s.right - s.left == pytest.approx(WIDTH / 4)
        assert s.start == pytest.approx(cell.column * WIDTH / 4 / 50)
    moved = found.moved(1.5)
    assert [s.left - 1.5 for s in moved.segments] == pytest.approx([s.left for s in found.segments])
    assert [s.right - 1.5 for s in moved.segments] == pytest.approx(
        [s.right for s in found.segments]
    )
    assert [s.start for s in moved.segments] == [s.start for s in found.segments]


def test_rows_of_about_ten_seconds_are_of_ten_seconds() -> None:
    rows = [Row(0.0, 10.0, 262.0), Row(20.0, 12.0, 264.0), Row(40.0, 11.0, 200.0)]
    assert extent(rows) == (11.0, 261.0)
    short = [Row(0.0, 10.0, 190.0), Row(20.0, 10.0, 190.0)]
    assert extent(short) == (10.0, 190.0)


def test_strips_above_the_grid_are_found_there() -> None:
    layout, rng = get_layout("3x4+II"), np.random.default_rng(4)
    rows = rows_of(layout, rng)
    turned = {3: 0, 0: 1, 1: 2, 2: 3}
    cells = tuple(replace(c, row=turned[c.row], strip=False) for c in layout.cells)
    marks = marks_of(replace_cells(layout, cells), rows, "above", rng)
    found = arrange(rows, sort(marks))
    assert found.name == "3x4+II"
    assert {s.row for s in found.segments if s.strip} == {0}
    assert {s.row for s in found.segments if s.lead == "V6"} == {3}


def replace_cells(layout: Layout, cells: tuple) -> Layout:
    """The layout with other cells, which would not be valid as one of its own."""
    made = object.__new__(Layout)
    made.__dict__.update(name=layout.name, cells=cells, rows=layout.rows, columns=layout.columns,
                         seconds=layout.seconds)  # fmt: skip
    return made


def test_a_row_with_a_pulse_is_a_strip_though_its_name_is_smudged() -> None:
    layout, rng = get_layout("3x4"), np.random.default_rng(6)
    rows = rows_of(layout, rng)
    rows.append(Row(rows[-1].y + 24, LEFT, LEFT + WIDTH))
    marks = marks_of(layout, rows, "below", rng)
    marks += [Mark("pulse", LEFT - 3, row.y - 5, 1.0) for row in rows]
    found = arrange(rows, sort(marks))
    assert found.name == "3x4+II"
    assert found.probability > 0.8
    assert found.seen == 0
