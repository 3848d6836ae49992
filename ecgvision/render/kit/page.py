"""Pages in ecg-image-kit's terms: which ones it can draw, its input, and where it drew them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.core.errors import LayoutError
from ecgvision.core.layouts import Cell, Layout
from ecgvision.core.page import Page
from ecgvision.render.geometry import Box, CellGeometry
from ecgvision.render.kit.checkout import COMMIT
from ecgvision.render.kit.process import KitError

TOLERANCE_PX = 0.02  # the kit rounds coordinates to 0.01 px, and ours agree to 0.005
PAPER_MM = (215.9, 279.4)


def check_page(page: Page) -> None:
    """Check that the kit can draw a page.

    Raises:
        LayoutError: if there is more than one strip, a grid with holes or repeated names, another
            speed, gain, paper or window than the kit's own, or a dpi that is not a whole number.
    """
    fixed = (page.speed, page.gain, page.paper_mm, page.window)
    if fixed != (25.0, 10.0, PAPER_MM, (0.0, page.layout.seconds)):
        raise LayoutError(
            "ecg-image-kit draws 25 mm/s and 10 mm/mV on US letter only",
            value=fixed,
            remedy="Use this project's own renderer",
        )
    if page.dpi != int(page.dpi):
        raise LayoutError("ecg-image-kit takes whole dpi only", value=page.dpi)
    kit_order(page.layout)


def kit_order(layout: Layout) -> list[int]:
    """Return the cells in the kit's order: rows from the bottom up, then the strip.

    Raises:
        LayoutError: see `check_page`.
    """
    remedy = "Use this project's own renderer"
    if layout.strips > 1:
        raise LayoutError(
            f"layout {layout.name}: ecg-image-kit draws at most one strip",
            value=layout.strips,
            remedy=remedy,
        )
    inside = [i for i, c in enumerate(layout.cells) if not c.strip]
    names = {layout.cells[i].label for i in inside}
    width = layout.seconds / layout.columns
    uneven = any(
        abs((c.stop - c.start) - (layout.seconds if c.strip else width)) > 1e-9
        for c in layout.cells
    )
    if len(inside) != layout.rows * layout.columns or len(names) != len(inside) or uneven:
        raise LayoutError(
            f"layout {layout.name}: ecg-image-kit draws full grids of different leads only",
            remedy=remedy,
        )
    inside.sort(key=lambda i: (-layout.cells[i].row, layout.cells[i].column))
    return inside + [i for i, c in enumerate(layout.cells) if c.strip]


def piece(
    page: Page, cell: Cell, signal: NDArray[np.floating[Any]], rate: float
) -> NDArray[np.float64]:
    """Return the cell's samples as printed, NaN after the end of the recording.

    The kit places the separators by the number of samples, so a piece always has its full length.
    """
    whole = page.samples(cell, 2**62, rate)
    there = page.samples(cell, signal.shape[1], rate)
    piece = np.full(whole.stop - whole.start, np.nan)
    piece[: there.stop - there.start] = cell.sign * signal[LEAD_INDEX[cell.lead], there]
    return piece


def header(name: str, rate: float, about: Sequence[str]) -> list[str]:
    """Return a WFDB header for the text at the top of a page; the kit's text needs an Age."""
    lines = [f"{name} {len(LEADS)} {rate:.12g} 1"]
    lines += [f"{name}.dat 16 1000/mV 16 0 0 0 0 {lead}" for lead in LEADS]
    comments = list(about)
    if comments and not any(c.startswith("Age:") for c in comments):
        comments.append("Age: Unknown")
    return lines + [f"#{c}" for c in comments]


def compare(
    page: Page, cell: Cell, part: NDArray[np.float64], mv: NDArray[np.float64], rate: float,
    lift: float,
) -> None:  # fmt: skip
    """Compare the kit's points with the layout's positions of the samples.

    The kit draws the first sample at the cell's edge, even if the edge is between two samples.

    Raises:
        KitError: if the kit drew another page, as a modified checkout may.
    """
    if len(part) != len(mv):
        raise KitError(f"the kit lists {len(part)} points of {cell.label}", value=len(mv))
    x, y = page.to_pixel(cell, cell.start + np.arange(len(mv)) / rate, cell.sign * mv)
    wrong = np.abs(part - np.stack([x, y + lift], 1))
    off = float(np.nanmax(wrong, initial=0.0))
    if off > TOLERANCE_PX or (np.isnan(part[:, 1]) != np.isnan(mv)).any():
        raise KitError(
            f"the kit draws {cell.label} {off:.2f} px from its place",
            remedy=f"Use the kit's commit {COMMIT}",
        )


def drawn_cell(
    page: Page, index: int, part: NDArray[np.float64], label: Box | None, length: int,
    rate: float, lift: float,
) -> CellGeometry:  # fmt: skip
    """Return one cell as the kit drew it, in pixels of its page before padding."""
    cell = page.cells[index]
    there = page.samples(cell, length, rate)
    first = page.samples(cell, 2**62, rate).start
    count = there.stop - there.start
    part = part[:count].copy()
    gap = np.isnan(part[:, 1])  # the kit's transform leaves no x there either
    part[gap, 0] = page.to_pixel(cell, cell.start + np.flatnonzero(gap) / rate, 0.0)[0]
    return CellGeometry.of(page, index, first, part, label, lift=lift)
