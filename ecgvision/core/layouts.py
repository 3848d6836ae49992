"""Layouts: which lead is printed in which time window, row and column, and with which sign.

A `Layout` is independent of the paper. `ecgvision.core.page.Page` places a layout on paper. The
drawing, the observed mask and the map from a pixel back to (lead, time, mV) are derived from the
two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import LayoutError

LIMB_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF")
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
CABRERA = ("aVL", "I", "-aVR", "II", "aVF", "III")
"""Limb leads in the order of the frontal plane; -aVR points at +30 degrees (AHA/ACC/HRS 2007)."""


@dataclass(frozen=True)
class Cell:
    """One lead at one position of a layout.

    Attributes:
        lead: one of `LEADS`.
        sign: +1 as recorded, -1 inverted (Cabrera order prints -aVR).
        start, stop: time window in seconds; samples with start <= t < stop are printed.
        row: row index, 0 at the top; rhythm strips follow below the rows of the grid.
        column: column index, 0 at the left; 0 for a rhythm strip.
        strip: whether the cell is a rhythm strip, below the grid and across the full width.
    """

    lead: str
    sign: int
    start: float
    stop: float
    row: int
    column: int
    strip: bool

    @property
    def label(self) -> str:
        """The name as printed, such as `-aVR`."""
        return self.lead if self.sign > 0 else f"-{self.lead}"


@dataclass(frozen=True)
class Layout:
    """An arrangement of cells over `seconds` of a recording.

    `rows` and `columns` count the grid. Rhythm strips follow below the grid, each across the full
    width.

    Raises:
        LayoutError: if a cell has an unknown lead or sign, is outside the grid or the window, is
            wider than its column, or has the same position as another cell.
    """

    name: str
    cells: tuple[Cell, ...]
    rows: int
    columns: int
    seconds: float = 10.0

    def __post_init__(self) -> None:
        taken: set[tuple[int, int]] = set()
        for cell in self.cells:
            width = self.seconds if cell.strip else self.seconds / self.columns
            rows = range(self.rows, self.rows + self.strips) if cell.strip else range(self.rows)
            place = (cell.row, cell.column)
            if (
                cell.lead not in LEADS
                or cell.sign not in (-1, 1)
                or not 0 <= cell.start < cell.stop <= self.seconds
                or cell.stop - cell.start > width + 1e-9
                or cell.row not in rows
                or not 0 <= cell.column < (1 if cell.strip else self.columns)
                or place in taken
            ):
                raise LayoutError(f"layout {self.name}: impossible cell", value=cell)
            taken.add(place)

    @cached_property
    def strips(self) -> int:
        """Number of rhythm strips."""
        return sum(cell.strip for cell in self.cells)

    @property
    def leads(self) -> frozenset[str]:
        """The leads printed at least once."""
        return frozenset(cell.lead for cell in self.cells)


def grid(
    name: str, columns: Sequence[Sequence[str]], strips: Sequence[str] = (), seconds: float = 10.0
) -> Layout:
    """Build a layout from lead names by column.

    Each column spans `seconds / len(columns)` and shows the recording at its true time. A minus
    before a name prints the lead inverted.
    """
    rows, width = len(columns[0]), seconds / len(columns)
    cells = [
        Cell(
            lead=columns[c][r].removeprefix("-"),
            sign=-1 if columns[c][r].startswith("-") else 1,
            start=c * width,
            stop=(c + 1) * width,
            row=r,
            column=c,
            strip=False,
        )
        for r in range(rows)
        for c in range(len(columns))
    ]
    cells += [Cell(lead, 1, 0.0, seconds, rows + i, 0, True) for i, lead in enumerate(strips)]
    return Layout(name, tuple(cells), rows, len(columns), seconds)


def _thirds(leads: Sequence[str]) -> list[Sequence[str]]:
    return [leads[i : i + 3] for i in range(0, len(leads), 3)]


def _registry() -> dict[str, Layout]:
    twelve = (*LIMB_LEADS, *CHEST)
    found = [
        grid("3x4", _thirds(twelve)),
        grid("3x4+II", _thirds(twelve), ["II"]),
        grid("3x4+II+V1", _thirds(twelve), ["II", "V1"]),
        grid("3x4+V1+II+V5", _thirds(twelve), ["V1", "II", "V5"]),
        grid("6x2", [LIMB_LEADS, CHEST]),
        grid("6x2+II", [LIMB_LEADS, CHEST], ["II"]),
        grid("12x1", [twelve]),
        grid("3x4:cabrera", _thirds((*CABRERA, *CHEST))),
        grid("6x2:cabrera", [CABRERA, CHEST]),
        grid("12x1:cabrera", [(*CABRERA, *CHEST)]),
        *(grid(f"1x1:{lead}", [[lead]]) for lead in LEADS),
    ]
    return {layout.name: layout for layout in found}


LAYOUTS: dict[str, Layout] = _registry()
"""All named layouts."""

RANDOM = "random"
"""Layout name that stands for any of `RANDOM_LAYOUTS`."""

RANDOM_LAYOUTS = ("3x4", "3x4+II", "3x4+II+V1", "6x2", "6x2+II", "12x1")
"""Layouts that `random` chooses from."""

ANY = "any"
"""Layout name that stands for leads in any number, order and arrangement; see `any_layout`."""

WILDCARD_LAYOUTS = (RANDOM, ANY)
"""Names that stand for more than one layout."""

FULL_GRIDS = ((12, 1), (6, 2), (4, 3), (3, 4), (2, 6))
"""(rows, columns) of the grids that hold all leads."""

PARTIAL_GRIDS = (
    (1, 1), (2, 1), (3, 1), (4, 1), (6, 1), (8, 1), (2, 2), (3, 2), (4, 2), (2, 3), (3, 3), (1, 4),
    (2, 4),
)  # fmt: skip
"""(rows, columns) of the grids that hold some of the leads."""

STRIPS = (0, 0, 0, 1, 1, 2, 3)
"""Numbers of rhythm strips that `any` draws from."""

MAX_BANDS = 12
"""Maximum number of rows and rhythm strips together in `any` (our default): more would overlap."""


def pick_layout(name: str, rng: np.random.Generator) -> str:
    """Resolve a name that stands for several layouts.

    `random` gives one of `RANDOM_LAYOUTS`, all equally likely. `any` gives a layout drawn by
    `any_layout`. Other names are returned unchanged.
    """
    if name == ANY:
        return any_layout(rng)
    return RANDOM_LAYOUTS[int(rng.integers(len(RANDOM_LAYOUTS)))] if name == RANDOM else name


def any_layout(rng: np.random.Generator) -> str:
    """Draw a non-standard layout at random and return its written-out name.

    Half of the layouts hold all leads. Half have the leads in the standard order, the others in
    random order. The rhythm strips show any leads. Such a page can only be read by its printed lead
    names.
    """
    shapes = FULL_GRIDS if rng.random() < 0.5 else PARTIAL_GRIDS
    rows, columns = shapes[int(rng.integers(len(shapes)))]
    chosen = rng.permutation(len(LEADS))[: rows * columns]
    if rng.random() < 0.5:
        chosen = np.sort(chosen)
    leads = [LEADS[i] for i in chosen]
    strips = min(STRIPS[int(rng.integers(len(STRIPS)))], MAX_BANDS - rows)
    below = [LEADS[i] for i in rng.permutation(len(LEADS))[:strips]]
    return write_layout([leads[c * rows : (c + 1) * rows] for c in range(columns)], below)


def write_layout(columns: Sequence[Sequence[str]], strips: Sequence[str] = ()) -> str:
    """Return the written-out name of an unnamed layout; `get_layout` parses it.

    `V1.V2_V3.V4+II` is V1 above V2, to their right V3 above V4, and II as a rhythm strip.
    """
    return "+".join(["_".join(".".join(column) for column in columns), *strips])


@lru_cache(maxsize=4096)
def get_layout(name: str) -> Layout:
    """Return a layout by its name, or by its written-out form as from `write_layout`.

    Raises:
        LayoutError: if the name is not in `LAYOUTS` and does not consist of leads, if the columns
            differ in length, or if a lead occurs twice in the grid or in the strips.
    """
    if name in LAYOUTS:
        return LAYOUTS[name]
    body, *strips = str(name).split("+")
    columns = [column.split(".") for column in body.split("_")]
    leads = [lead.removeprefix("-") for column in columns for lead in column]
    if not {*leads, *strips} <= set(LEADS):
        known = ", ".join(n for n in LAYOUTS if not n.startswith("1x1"))
        raise LayoutError(
            "unknown layout", value=name,
            remedy=f"Known: {known}, 1x1:<lead>; or write out columns of leads and strips, "
            "as V1.V2.V3_V4.V5.V6+II",
        )  # fmt: skip
    if len({len(column) for column in columns}) > 1:
        raise LayoutError("columns of a layout must be of one length", value=name)
    if len(set(leads)) < len(leads) or len(set(strips)) < len(strips):
        raise LayoutError("a lead stands twice in a layout", value=name,
                          remedy="Only a strip may show a lead of the grid again")  # fmt: skip
    return grid(name, columns, strips)
