"""Where everything stands on a drawn page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ecg import LEAD_INDEX
from ..layouts import Cell
from ..page import Page
from .furniture import Part

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


@lru_cache(maxsize=32)
def _placed(
    page: Page, length: int, rate: float
) -> tuple[NDArray[np.float64], list[int], list[tuple[int, slice, float, float]]]:
    """What does not depend on the values: x of every printed sample, where each cell's begin,
    and for each cell its lead, its samples, y of 0 mV and the pixels a millivolt goes down.
    """
    spans = [page.samples(cell, length, rate) for cell in page.cells]
    bounds = np.cumsum([0, *(s.stop - s.start for s in spans)]).tolist()
    across = np.empty(bounds[-1])
    rows = []
    for i, (cell, span) in enumerate(zip(page.cells, spans, strict=True)):
        seconds = np.arange(span.start, span.stop) / rate
        across[bounds[i] : bounds[i + 1]] = page.to_pixel(cell, seconds, 0.0)[0]
        _, y = page.to_pixel(cell, 0.0, np.array([0.0, 1.0]))
        rows.append((LEAD_INDEX[cell.lead], span, float(y[0]), float(y[1] - y[0])))
    return across, bounds, rows


def lead_points(
    signal: NDArray[np.float32], rate: float, page: Page
) -> tuple[NDArray[np.float64], list[int]]:
    """Pixel of every printed sample: (N, 2) float64 x, y of all cells in a row, NaN kept.

    The second value holds where each cell's points start, and the end: cell i has
    points[bounds[i]:bounds[i + 1]].
    """
    across, bounds, rows = _placed(page, signal.shape[1], rate)
    points = np.empty((bounds[-1], 2))
    points[:, 0] = across
    for i, (lead, span, zero, down) in enumerate(rows):
        y = points[bounds[i] : bounds[i + 1], 1]
        np.multiply(signal[lead, span], down, out=y, dtype=np.float64)
        y += zero
    return points, bounds


@dataclass(frozen=True, eq=False)
class CellGeometry:
    """One cell of the page, known by its index in `page.cells`: a lead may stand twice.

    Attributes:
        samples: first and one past the last sample of the recording that is printed here.
        baseline: y of 0 mV in pixels.
        box: around the cell's window in time and what is drawn of its trace.
        label: around its printed name, None where none is printed.
        points: (n, 2) float64 x, y of samples[0] .. samples[1] - 1, NaN where not observed;
            None where they were not asked for.
    """

    index: int
    cell: Cell
    samples: tuple[int, int]
    baseline: float
    box: Box
    label: Box | None
    points: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class Geometry:
    """The page's scale and its cells."""

    page: Page
    rate: float
    cells: tuple[CellGeometry, ...]

    @property
    def px_per_mm(self) -> float:
        """Pixels a millimetre of paper."""
        return self.page.px_per_mm

    @classmethod
    def of(
        cls,
        page: Page,
        rate: float,
        points: NDArray[np.float64],
        bounds: Sequence[int],
        texts: Sequence[Part],
        *,
        keep_points: bool,
    ) -> Geometry:
        """The geometry of a page from the points of `lead_points` and the parts that are text."""
        labels = {p.cell: _part_box(p) for p in texts if p.cell is not None}
        cells = []
        for i, cell in enumerate(page.cells):
            own = points[bounds[i] : bounds[i + 1]]
            x0, base = page.to_pixel(cell, cell.start, 0.0)
            x1, _ = page.to_pixel(cell, cell.stop, 0.0)
            seen = own[:, 1][np.isfinite(own[:, 1])]
            top, bottom = (seen.min(), seen.max()) if len(seen) else (base, base)
            first = page.samples(cell, 2**62, rate).start
            cells.append(
                CellGeometry(
                    index=i,
                    cell=cell,
                    samples=(first, first + len(own)),
                    baseline=float(base),
                    box=(float(x0), float(top), float(x1), float(bottom)),
                    label=labels.get(i),
                    points=own if keep_points else None,
                )
            )
        return cls(page, rate, tuple(cells))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; boxes as [left, top, right, bottom], points as [x, y] or null."""
        page = self.page
        return {
            "size": list(page.size),
            "dpi": page.dpi,
            "px_per_mm": page.px_per_mm,
            "layout": page.layout.name,
            "window": list(page.window),
            "speed": page.speed,
            "gain": page.gain,
            "rate": self.rate,
            "leads": [_cell_dict(c) for c in self.cells],
        }


def _cell_dict(c: CellGeometry) -> dict[str, Any]:
    found: dict[str, Any] = {
        "index": c.index,
        "lead": c.cell.lead,
        "sign": c.cell.sign,
        "strip": c.cell.strip,
        "row": c.cell.row,
        "column": c.cell.column,
        "seconds": [c.cell.start, c.cell.stop],
        "samples": list(c.samples),
        "baseline": round(c.baseline, 3),
        "box": [round(v, 3) for v in c.box],
        "label_box": None if c.label is None else list(c.label),
    }
    if c.points is not None:
        rounded = np.round(c.points, 3).tolist()
        found["points"] = [[x, None if y != y else y] for x, y in rounded]
    return found


def _part_box(part: Part) -> Box:
    height, width = part.coverage.shape
    return float(part.left), float(part.top), float(part.left + width), float(part.top + height)
