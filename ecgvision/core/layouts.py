"""What is printed where: for each lead, the window of time, its sign, its row and its column.

A `Layout` knows nothing of paper. `ecgvision.core.page.Page` puts one on paper. The drawing, the
observed-mask and the map from a pixel back to (lead, time, mV) follow from the two.
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
    """One lead in one place.

    Attributes:
        lead: one of `LEADS`.
        sign: +1 as recorded, -1 printed upside down (Cabrera order prints -aVR).
        start, stop: seconds of the layout's window; samples with start <= t < stop are printed.
        row: 0 is the top; rhythm strips follow below the rows of the grid.
        column: 0 is the left; 0 for a strip.
        strip: a rhythm strip across the page, below the grid.
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
        """The name as printed."""
        return self.lead if self.sign > 0 else f"-{self.lead}"


@dataclass(frozen=True)
class Layout:
    """An arrangement of cells over `seconds` of recording.

    `rows` and `columns` count the grid; strips come below it, each over the whole width.

    Raises:
        LayoutError: for a cell that lies outside the grid or the window, is wider than its
            column, or stands on another.
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
    """A layout from lead names by column, each column `seconds / len(columns)` at its true time.

    A minus before a name prints the lead upside down.
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
"""Every layout that has a name."""

RANDOM = "random"
"""The name that stands for any of `RANDOM_LAYOUTS`."""

RANDOM_LAYOUTS = ("3x4", "3x4+II", "3x4+II+V1", "6x2", "6x2+II", "12x1")
"""What `random` draws from."""

ANY = "any"
"""The name that stands for leads in any number, order and arrangement; see `any_layout`."""

MANY = (RANDOM, ANY)
"""Names that stand for more than one layout."""

WHOLE = ((12, 1), (6, 2), (4, 3), (3, 4), (2, 6))
"""(rows, columns) of grids that hold all leads."""

PARTS = ((1, 1), (2, 1), (3, 1), (4, 1), (6, 1), (8, 1), (2, 2), (3, 2), (4, 2), (2, 3), (3, 3),
         (1, 4), (2, 4))  # fmt: skip
"""Of grids that hold some."""

STRIPS = (0, 0, 0, 1, 1, 2, 3)
"""How many rhythm strips `any` draws from."""

MOST_BANDS = 12
"""Rows and strips together of `any`, our default: more would stand on each other."""


def pick_layout(name: str, rng: np.random.Generator) -> str:
    """The name itself; for `random` one of `RANDOM_LAYOUTS`, each as likely; for `any` one that
    `any_layout` draws."""
    if name == ANY:
        return any_layout(rng)
    return RANDOM_LAYOUTS[int(rng.integers(len(RANDOM_LAYOUTS)))] if name == RANDOM else name


def any_layout(rng: np.random.Generator) -> str:
    """A layout as nobody prints it, written out: half hold all leads; half have them in the usual
    order, the others in none; the rhythm strips are of any leads. Who reads it must read names.
    """
    shapes = WHOLE if rng.random() < 0.5 else PARTS
    rows, columns = shapes[int(rng.integers(len(shapes)))]
    chosen = rng.permutation(len(LEADS))[: rows * columns]
    if rng.random() < 0.5:
        chosen = np.sort(chosen)
    leads = [LEADS[i] for i in chosen]
    strips = min(STRIPS[int(rng.integers(len(STRIPS)))], MOST_BANDS - rows)
    below = [LEADS[i] for i in rng.permutation(len(LEADS))[:strips]]
    return write_layout([leads[c * rows : (c + 1) * rows] for c in range(columns)], below)


def write_layout(columns: Sequence[Sequence[str]], strips: Sequence[str] = ()) -> str:
    """The name of a layout that has none: `V1.V2_V3.V4+II` is V1 over V2, right of them V3 over
    V4, and II as a rhythm strip. `get_layout` reads it."""
    return "+".join(["_".join(".".join(column) for column in columns), *strips])


@lru_cache(maxsize=4096)
def get_layout(name: str) -> Layout:
    """The layout of that name, or the one that is written out as `write_layout` does.

    Raises:
        LayoutError: for a name that is not in `LAYOUTS` and names no leads, columns that are not of
            one length, or a lead that stands twice in the grid or the strips.
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
