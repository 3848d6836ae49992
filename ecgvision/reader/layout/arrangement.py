"""The arrangement of leads on a page: one explanation of all rows and names that were seen.

Every usual grid of leads, with any rhythm strips below or above it, is compared with the rows and
the names. A name supports the trace at which it is printed and speaks against a grid that expects
another one there. Names may be printed above, below or beside their traces, in the same way all
over a page. Our own design.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ecgvision.core.ecg import LEADS
from ecgvision.core.layouts import get_layout, write_layout
from ecgvision.reader.layout.columns import Columns, Edges, fit_columns, seen_changes
from ecgvision.reader.layout.maps import NAMES
from ecgvision.reader.layout.rows import Mark, Row

GRIDS = {
    "3x4": 0.0, "6x2": -1.0, "12x1": -1.0, "3x4:cabrera": -3.0, "6x2:cabrera": -3.0,
    "12x1:cabrera": -3.0, "I.II.III.aVR.aVL.aVF": -3.0, "V1.V2.V3.V4.V5.V6": -3.0,
    "I.II.III_aVR.aVL.aVF": -3.0, "V1.V2.V3_V4.V5.V6": -3.0,
}  # fmt: skip
"""Log prior odds of the usual grids, of all leads and of half of them; our defaults."""

STRIPS = (0.0, 0.0, -1.0, -1.5)
"""Log prior odds of no, one, two and three rhythm strips."""

STRIP_LEADS = {"II": 0.0, "V1": -1.0, "V5": -1.5}
OTHER_STRIP = -3.0
"""Log prior odds of the lead of a rhythm strip."""

ON_TOP = -2.0
"""Log prior odds of rhythm strips above the grid."""

AS_READ, CHOICE = -3.0, -math.log(len(NAMES))
"""Log prior odds of an arrangement that consists of the names as they were read, and of each of its
names among all others: agreement costs what chance would bring."""

MISSED_ROW, EXTRA_ROW, EXTRA_PULSE = -4.0, -2.0, -3.0
"""What a row costs that a grid has and the page does not show, one that the grid does not have, and
beyond that one with a pulse: a line of text can look like a row, but has none."""

PULSE_MM = (12.0, 15.0)
"""How far from a row's end, and how high above its 0 mV line, its pulse may have its middle."""

NAME, MISSED_NAME, STRAY_NAME = 3.0, -2.0, -0.5
"""What a name brings where it is expected, what a trace costs whose name was not seen on a page
where all others were, and what a name costs that stands at no trace, relative to `NAME`."""

AGAINST = 1.0
"""What a likelier name costs at a place that expects another, relative to `NAME`."""

CHANGE, MISSED_CHANGE, STRAY_CHANGE = 1.0, -0.7, -0.5
"""What a change of leads brings in a row that is expected to have it there, what one costs that is
not seen although others are, and one that is seen where none is expected; our defaults."""

CHANGE_MM, ENDS_MM = 2.5, 12.0
"""Distance up to which a change that is seen is one that is expected, and from the ends of a row up
to which changes count for nothing: pulses stand there."""

COUNTS = (1, 2, 3, 4, 6)
"""Numbers of columns that a page may have."""

SAME_PITCH = 0.03
"""Relative difference up to which columns are taken to share ten seconds equally."""

REACH_MM = (-14.0, 22.0)
"""From where to where a lead's name may be printed, from the start of its trace."""

SAME_MM = 5.0
"""Marks that are closer than this are rival readings of one name."""

PLACES = ("below", "above", "level")
"""Where names are printed, relative to the 0 mV line of their trace."""

FULL_MM = 250.0
"""Width of ten seconds at 25 mm/s."""

NEAR_FULL = 0.06
"""Relative difference up to which a row is taken to be of ten seconds."""

SHORT = 0.5
"""Rows shorter than this share of the longest are other print."""


@dataclass(frozen=True)
class Segment:
    """A lead's trace on the page.

    Attributes:
        lead: one of `LEADS`.
        sign: -1 where the lead is printed inverted.
        row: index of the row.
        left, right: from where to where it is printed, in mm.
        start: time of its left end in seconds.
        probability: how surely its name was read; 0 if it was inferred from the arrangement.
        strip: whether it is a rhythm strip.
    """

    lead: str
    sign: int
    row: int
    left: float
    right: float
    start: float
    probability: float
    strip: bool


@dataclass(frozen=True)
class Arrangement:
    """The most likely arrangement of a page.

    Attributes:
        name: name of the layout, or a written-out one.
        probability: its share among all that were compared.
        evidence: sum of the probabilities of the names that support it, as a share of twelve leads;
            0 if it rests on the number of rows alone.
        segments: the traces.
        speed: mm/s.
        seen: share of the changes from one lead to the next that were seen where they are; 0 if
            there are none.
    """

    name: str
    probability: float
    evidence: float
    segments: tuple[Segment, ...]
    speed: float
    seen: float = 0.0

    def moved(self, distance: float) -> Arrangement:
        """Return the arrangement with all traces `distance` mm farther to the right."""
        return replace(self, segments=tuple(
            replace(s, left=s.left + distance, right=s.right + distance) for s in self.segments
        ))  # fmt: skip


class _Name(NamedTuple):
    """A printed name: its place, and the probabilities of what it says."""

    x: float
    y: float
    says: dict[str, float]


class _Cell(NamedTuple):
    """A place for a lead; a strip is as long as the grid of so many columns."""

    name: str
    row: int
    column: int
    columns: int
    strip: bool


@dataclass
class _Guess:
    name: str
    score: float
    cells: list[_Cell]
    support: dict[_Cell, float] = field(default_factory=dict)
    seen: float = 0.0


@dataclass(frozen=True)
class _Page:
    """Rows and names, each name with the row that it belongs to if names are at a certain place.

    `columns` are those of each number, `changes` the changes seen along each row, and `pulses` how
    surely a pulse is seen at each row.
    """

    rows: Sequence[Row]
    names: Sequence[_Name]
    owner: Sequence[int | None]
    columns: Mapping[int, Columns]
    changes: Sequence[Sequence[tuple[float, float]]]
    pulses: Sequence[float]

    def start(self, cell: _Cell) -> float:
        columns = self.columns[cell.columns]
        return columns.left + cell.column * columns.pitch

    def width(self, cell: _Cell) -> float:
        columns = self.columns[cell.columns]
        return columns.pitch * (columns.number if cell.strip else 1)

    def time(self, cell: _Cell, speed: float) -> float:
        """Return when a lead begins, in seconds."""
        pitch = self.columns[cell.columns].pitch
        equal = FULL_MM / cell.columns
        return cell.column * (equal if abs(pitch / equal - 1) < SAME_PITCH else pitch) / speed

    def at(self, cell: _Cell) -> Iterator[int]:
        """Return the indices of the names that are printed at a cell."""
        start = self.start(cell)
        for k, (name, row) in enumerate(zip(self.names, self.owner, strict=True)):
            if row == cell.row and REACH_MM[0] < name.x - start < REACH_MM[1]:
                yield k

    def weigh(self, guess: _Guess) -> _Guess:
        """Add to a guess what the names and the changes of leads say of it."""
        used, missed = set(), 0
        for cell in guess.cells:
            found = [(self.names[k].says, k) for k in self.at(cell)]
            used |= {k for _, k in found}
            if not found:
                missed += 1
                continue
            says, _ = max(found, key=lambda f: f[0].get(cell.name, 0.0))
            own = says.get(cell.name, 0.0)
            other = max((p for name, p in says.items() if name != cell.name), default=0.0)
            guess.score += NAME * own
            if other > own:
                guess.score -= NAME * AGAINST * (other - own)
            else:
                guess.support[cell] = own
        guess.score += MISSED_NAME * missed * len(guess.support) / len(guess.cells)
        for k, name in enumerate(self.names):
            if k not in used:
                guess.score += STRAY_NAME * NAME * max(name.says.values())
        for row in {*range(len(self.rows))} - {cell.row for cell in guess.cells}:
            guess.score += EXTRA_ROW + EXTRA_PULSE * self.pulses[row]
        guess.score += self._agreement(guess)
        return guess

    def _agreement(self, guess: _Guess) -> float:
        """Return what the changes seen along the rows say of a guess; note how many were seen."""
        places: dict[int, list[float]] = {
            cell.row: [] if cell.strip else self.columns[cell.columns].inner.tolist()
            for cell in guess.cells
        }
        seen = missed = stray = 0.0
        for row, inner in places.items():
            changes, (_, left, right) = self.changes[row], self.rows[row]
            for place in inner:
                near = max((p for x, p in changes if abs(x - place) < CHANGE_MM), default=0.0)
                seen, missed = seen + near, missed + (near == 0)
            ends = self.columns[guess.cells[0].columns]
            known = [ends.left, *inner, ends.right]
            stray += sum(p for x, p in changes if left + ENDS_MM < x < right - ENDS_MM
                         and min(abs(x - place) for place in known) > CHANGE_MM)  # fmt: skip
        guess.seen = share = seen / max(seen + missed, 1)
        return CHANGE * seen + MISSED_CHANGE * missed * share + STRAY_CHANGE * stray


def arrange(
    rows: Sequence[Row], marks: Sequence[Mark], speed: float = 25.0, edges: Edges | None = None
) -> Arrangement | None:
    """Return the arrangement that explains rows and names best, or None without a row.

    Args:
        rows: from top to bottom.
        marks: names and pulses.
        speed: paper speed in mm/s.
        edges: where leads begin and end along the rows; None if that is not known.
    """
    if not rows:
        return None
    longest = max(row.right - row.left for row in rows)
    number = [k for k, row in enumerate(rows) if row.right - row.left >= SHORT * longest]
    kept = [rows[k] for k in number]
    left, right = extent(kept)
    columns = {count: Columns(left, (right - left) / count, count) for count in COUNTS}
    changes: list[list[tuple[float, float]]] = [[] for _ in kept]
    if edges is not None:
        part = Edges(*(values[number] for values in edges))
        columns = {count: fit_columns(part, left, right, count) for count in COUNTS}
        changes = [seen_changes(row) for row in part.change]
    names, pulses = _names(marks), [_pulse(row, marks) for row in kept]
    guesses = []
    for place in PLACES:
        owner = [_owner(kept, name, place) for name in names]
        page = _Page(kept, names, owner, columns, changes, pulses)
        guesses += [page.weigh(guess) for guess in (*_grids(page), *_as_read(page))]
    best = max(guesses, key=lambda guess: guess.score)
    by_name: dict[str, float] = {}
    for guess in guesses:
        by_name[guess.name] = max(by_name.get(guess.name, -math.inf), guess.score)
    total = sum(math.exp(score - best.score) for score in by_name.values())
    page = _Page(kept, [], [], columns, changes, pulses)
    segments = []
    for cell in best.cells:
        at = page.start(cell)
        segments.append(Segment(
            cell.name.removeprefix("-"), -1 if cell.name.startswith("-") else 1, number[cell.row],
            at, at + page.width(cell), page.time(cell, speed), best.support.get(cell, 0.0),
            cell.strip,
        ))  # fmt: skip
    evidence = min(1.0, sum(best.support.values()) / len(LEADS))
    return Arrangement(best.name, 1 / total, evidence, tuple(segments), speed, best.seen)


def extent(rows: Sequence[Row]) -> tuple[float, float]:
    """Return from where to where the page's traces are printed: the median of the rows."""
    left = float(np.median([row.left for row in rows]))
    right = float(np.median([row.right for row in rows]))
    if abs((right - left) / FULL_MM - 1) < NEAR_FULL:
        right = left + FULL_MM
    return left, right


def _names(marks: Sequence[Mark]) -> list[_Name]:
    """Return the names printed on a page; `marks` are sorted by probability."""
    found: list[_Name] = []
    for mark in marks:
        if mark.kind not in NAMES:
            continue
        for name in found:
            if max(abs(name.x - mark.x), abs(name.y - mark.y)) < SAME_MM:
                name.says.setdefault(mark.kind, mark.probability)
                break
        else:
            found.append(_Name(mark.x, mark.y, {mark.kind: mark.probability}))
    return found


def _pulse(row: Row, marks: Sequence[Mark]) -> float:
    """Return how surely a calibration pulse is seen at either end of a row."""
    beside, above = PULSE_MM
    return max((mark.probability for mark in marks if mark.kind == "pulse"
                and min(abs(mark.x - row.left), abs(mark.x - row.right)) < beside
                and 0 < row.y - mark.y < above), default=0.0)  # fmt: skip


def _owner(rows: Sequence[Row], name: _Name, place: str) -> int | None:
    """Return the row that a name belongs to, if names are printed at `place`."""
    below = [name.y - row.y for row in rows]
    if place == "level":
        best = min(range(len(rows)), key=lambda k: abs(below[k]))
        return best if abs(below[best]) < 6 else None
    signed = below if place == "below" else [-d for d in below]
    fitting = [k for k in range(len(rows)) if -3 < signed[k] < 25]
    return min(fitting, key=lambda k: abs(signed[k])) if fitting else None


def _grids(page: _Page) -> Iterator[_Guess]:
    """Return the usual grids, with as many strips as there are further rows."""
    count = len(page.rows)
    for name, prior in GRIDS.items():
        layout = get_layout(name)
        for strips in range(min(len(STRIPS) - 1, max(count - layout.rows, 0)) + 1):
            bands = layout.rows + strips
            base = prior + STRIPS[strips] + MISSED_ROW * max(bands - count, 0)
            for first in range(max(count - bands, 0) + 1):
                for on_top in (False, True) if strips else (False,):
                    top = first + (strips if on_top else 0)
                    below = first if on_top else first + layout.rows
                    cells = [_Cell(c.label, top + c.row, c.column, layout.columns, strip=False)
                             for c in layout.cells if top + c.row < count]  # fmt: skip
                    score = base + (ON_TOP if on_top else 0.0)
                    leads = []
                    for k in range(strips):
                        cell, lead_prior = _strip(page, below + k, layout.columns)
                        score += lead_prior
                        cells.append(cell)
                        leads.append(cell.name)
                    yield _Guess("+".join([name, *leads]), score, cells)


def _strip(page: _Page, row: int, columns: int) -> tuple[_Cell, float]:
    """Return the likeliest lead of a rhythm strip and its log prior odds."""
    place = _Cell("", row, 0, columns, strip=True)
    says: dict[str, float] = {}
    for k in page.at(place):
        for name, probability in page.names[k].says.items():
            says[name] = max(says.get(name, 0.0), probability)
    prior = {lead: STRIP_LEADS.get(lead, OTHER_STRIP) for lead in LEADS}
    best = max(LEADS, key=lambda lead: prior[lead] + 1.5 * NAME * says.get(lead, 0.0))
    return place._replace(name=best), prior[best]


def _as_read(page: _Page) -> Iterator[_Guess]:
    """Return arrangements of the names as they were read, in columns of equal width."""
    for columns in COUNTS:
        cells: dict[str, tuple[float, _Cell]] = {}
        for row in range(len(page.rows)):
            for column in range(columns):
                place = _Cell("", row, column, columns, strip=False)
                says = [item for k in page.at(place) for item in page.names[k].says.items()]
                if not says:
                    continue
                name, probability = max(says, key=lambda item: item[1])
                lead = name.removeprefix("-")
                if lead not in cells or cells[lead][0] < probability:
                    cells[lead] = probability, place._replace(name=name)
        found = [cell for _, cell in cells.values()]
        if found:
            found.sort(key=lambda cell: cell.row)
            written = write_layout([[cell.name for cell in found if cell.column == k] or ["-"]
                                    for k in range(columns)])  # fmt: skip
            yield _Guess(written, AS_READ + CHOICE * len(found), found)
