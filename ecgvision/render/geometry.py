"""Geometry of a drawn page: positions of cells, traces and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX
from ecgvision.core.layouts import Cell
from ecgvision.core.page import MM_PER_INCH, Page

if TYPE_CHECKING:
    from ecgvision.render.artefacts.warp import Warp
    from ecgvision.render.page_annotations import Part

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
OUTLINE_POINTS = 33  # per side of a moved box: our bends are longer than a thirtieth of it
BASELINE_POINTS = 33  # points of a moved 0 mV line, for the same reason


@lru_cache(maxsize=64)  # six layouts at six resolutions need 36
def _placed(
    page: Page, length: int, rate: float
) -> tuple[NDArray[np.float64], list[int], list[tuple[int, slice, float, float]]]:
    """Return what does not depend on the signal's values.

    These are the x of every printed sample, the index at which each cell's samples begin, and for
    each cell its lead, its samples, the y of 0 mV and the pixels down per millivolt.
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
    """Return the pixel of every printed sample: (N, 2) float64 x, y, cell by cell, NaN kept.

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
    """One cell of the page, identified by its index in `page.cells`: a lead may occur twice.

    Attributes:
        samples: first and one past the last sample of the recording that is printed here.
        baseline: y of 0 mV in pixels.
        box: box around the cell's time window and its drawn trace.
        label: box around its printed name, None if none is printed.
        points: (n, 2) float64 x, y of samples[0] .. samples[1] - 1, NaN where not observed; None if
            not requested.
        zero: (BASELINE_POINTS, 2) float64 x, y of 0 mV from the window's start to its end, in an
            image where it may no longer be level; `baseline` is then its y half-way. None on the
            drawn page.
    """

    index: int
    cell: Cell
    samples: tuple[int, int]
    baseline: float
    box: Box
    label: Box | None
    points: NDArray[np.float64] | None
    zero: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls, page: Page, index: int, first: int, points: NDArray[np.float64], label: Box | None,
        *, lift: float = 0.0,
    ) -> CellGeometry:  # fmt: skip
        """Build the geometry of a cell of `page.cells` from its points.

        Args:
            first: sample of the first point.
            lift: offset in pixels by which the points' own page is lower than `page`.
        """
        cell = page.cells[index]
        x0, base = page.to_pixel(cell, cell.start, 0.0)
        x1, _ = page.to_pixel(cell, cell.stop, 0.0)
        zero = float(base) + lift
        seen = points[:, 1][np.isfinite(points[:, 1])]
        top, bottom = (seen.min(), seen.max()) if len(seen) else (zero, zero)
        return cls(
            index=index,
            cell=cell,
            samples=(first, first + len(points)),
            baseline=zero,
            box=(float(x0), float(top), float(x1), float(bottom)),
            label=label,
            points=points,
        )


@dataclass(frozen=True, eq=False)
class Geometry:
    """Scale and cells of a drawn page, or of an image made from it.

    `warp` maps the page to the image, None if the image is the page. `page` stays the drawn page;
    `warp(points of the page)` gives their positions in the image.
    """

    page: Page
    rate: float
    cells: tuple[CellGeometry, ...]
    warp: Warp | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.page.size if self.warp is None else self.warp.size

    @property
    def px_per_mm(self) -> float:
        """Pixels per millimetre of paper; at the page's centre if it varies within an image."""
        return self.page.px_per_mm * (1.0 if self.warp is None else self.warp.scale)

    def moved(self, warp: Warp) -> Geometry:
        """Return the geometry of the image that `warp` leads to.

        Boxes are the smallest upright ones around the moved outlines. Points outside the image get
        coordinates outside it.

        Raises:
            ConfigError: if the warp starts from an image of another size.
        """
        from ecgvision.render.artefacts.warp import Warp

        whole = (self.warp or Warp(self.size, self.size)).then(warp)
        return replace(
            self,
            cells=tuple(_moved_cell(self.page, c, warp, whole) for c in self.cells),
            warp=whole,
        )

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
        """Build a page's geometry from the points of `lead_points` and the parts that are text."""
        labels = {p.cell: _part_box(p) for p in texts if p.cell is not None}
        cells = []
        for i, cell in enumerate(page.cells):
            own = points[bounds[i] : bounds[i + 1]]
            first = page.samples(cell, 2**62, rate).start
            found = CellGeometry.of(page, i, first, own, labels.get(i))
            cells.append(found if keep_points else replace(found, points=None))
        return cls(page, rate, tuple(cells))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON.

        Boxes are [left, top, right, bottom], points are [x, y]. An unobserved point has a null y,
        and in an image a null x too.
        """
        page = self.page
        return {
            "size": list(self.size),
            "dpi": page.dpi if self.warp is None else round(self.px_per_mm * MM_PER_INCH, 6),
            "px_per_mm": page.px_per_mm if self.warp is None else round(self.px_per_mm, 6),
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
        "label_box": None if c.label is None else [round(v, 3) for v in c.label],
    }
    if c.zero is not None:
        found["baseline_points"] = np.round(c.zero, 3).tolist()
    if c.points is not None:
        rounded = np.round(c.points, 3).tolist()
        found["points"] = [[None if v != v else v for v in point] for point in rounded]
    return found


def _moved_cell(page: Page, c: CellGeometry, warp: Warp, whole: Warp) -> CellGeometry:
    seconds = np.linspace(c.cell.start, c.cell.stop, BASELINE_POINTS)
    zero = whole(np.stack(page.to_pixel(c.cell, seconds, np.zeros_like(seconds)), axis=-1))
    return replace(
        c,
        baseline=float(zero[len(zero) // 2, 1]),
        box=_moved_box(c.box, warp),
        label=None if c.label is None else _moved_box(c.label, warp),
        points=None if c.points is None else warp(c.points),
        zero=zero,
    )


def _moved_box(box: Box, warp: Warp) -> Box:
    left, top, right, bottom = box
    x, y = np.linspace(left, right, OUTLINE_POINTS), np.linspace(top, bottom, OUTLINE_POINTS)
    sides = [(x, np.full_like(x, top)), (x, np.full_like(x, bottom))]
    sides += [(np.full_like(y, left), y), (np.full_like(y, right), y)]
    outline = warp(np.concatenate([np.stack(side, axis=-1) for side in sides]))
    (x0, y0), (x1, y1) = outline.min(axis=0), outline.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _part_box(part: Part) -> Box:
    height, width = part.coverage.shape
    return float(part.left), float(part.top), float(part.left + width), float(part.top + height)
