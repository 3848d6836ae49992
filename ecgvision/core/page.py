"""Placement of a layout on paper: all lengths, and the map between pixels and (lead, time, mV).

The rules are those of the public ecg-image-kit (commit 27b90f5). They are stated in millimetres so
that they hold at any speed and gain.

Pixel coordinates are continuous. (0, 0) is the top left corner of the page, and a point is in the
pixel given by `floor`. Sizes are [height, width].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.core.errors import LayoutError
from ecgvision.core.layouts import Cell, Layout

MM_PER_INCH = 25.4
BOX_MM = 5.0  # one large box of the grid
PULSE_SECONDS = 0.2  # width of the calibration pulse
STRIP_LIFT_MM = 3.0  # the kit lifts a rhythm strip by 0.3 mV above the middle of its band
MAX_PIXELS = 20_000  # maximum of either side: an RGB page stays under 1.2 GB
MAX_MM = 1000  # maximum of speed in mm/s and gain in mm/mV (our default; 50 and 20 are used)
MIN_ROW_MV = 1.2  # minimum row height; our default: an R wave of 1 mV and room for a name


@dataclass(frozen=True)
class Page:
    """A layout on a sheet of paper at a given speed, gain and resolution.

    Attributes:
        layout: what is printed.
        dpi: pixels per inch.
        paper_mm: (height, width) of the paper; the default is US letter, landscape, as in the kit.
        speed: paper speed in mm/s.
        gain: in mm/mV.
        seconds: length of the printed window, which starts at 0. Every cell is cut to its share, so
            that columns and strips keep one common time axis. None prints the layout's complete
            window if it fits on the paper, and otherwise the largest number of half-seconds that
            fits (see `window`).
        pulse: reserve space for a calibration pulse at the start of every row.
        margins_mm: (head, foot) without traces. The rows share the space in between evenly and need
            `MIN_ROW_MV` each. None divides the paper as the kit does: into two more bands than
            there are rows, with lifted strips, and without a minimum row height.
        strips_on_top: print the rhythm strips above the rows of the grid instead of below.

    Raises:
        LayoutError: if the requested window or the rows do not fit on the paper, or if a value is
            invalid.
    """

    layout: Layout
    dpi: float = 200.0
    paper_mm: tuple[float, float] = (215.9, 279.4)
    speed: float = 25.0
    gain: float = 10.0
    seconds: float | None = None
    pulse: bool = True
    margins_mm: tuple[float, float] | None = None
    strips_on_top: bool = False

    def __post_init__(self) -> None:
        for name in ("dpi", "speed", "gain"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise LayoutError(f"{name} of a page must be positive", value=value)
        for name in ("speed", "gain"):
            if getattr(self, name) > MAX_MM:
                raise LayoutError(f"{name} of a page must be at most {MAX_MM}",
                                  value=getattr(self, name))  # fmt: skip
        if not all(math.isfinite(v) and v > 0 for v in self.paper_mm):
            raise LayoutError("paper must have a positive height and width", value=self.paper_mm)
        if not 1 <= min(self.size) <= max(self.size) <= MAX_PIXELS:
            raise LayoutError(
                f"a page must measure 1 to {MAX_PIXELS} pixels a side",
                value=self.size,
                remedy="Choose another dpi",
            )
        limit = self._longest()
        if self.seconds is not None and not 0 < self.seconds <= self.layout.seconds:
            raise LayoutError(
                f"layout {self.layout.name} holds 0 to {self.layout.seconds:g} s",
                value=self.seconds,
            )
        if limit <= 0 or (self.seconds is not None and self.seconds > limit):
            raise LayoutError(
                f"{limit:g} s of layout {self.layout.name} at {self.speed:g} mm/s is all that fits "
                f"on {self.paper_mm[1]:g} mm of paper",
                value=self.seconds,
                remedy="Ask for fewer seconds, a lower speed or wider paper",
            )
        self._check_rows()

    def _check_rows(self) -> None:
        if self.margins_mm is None:
            return
        if not all(math.isfinite(v) and v >= 0 for v in self.margins_mm):
            raise LayoutError("margins of a page must not be negative", value=self.margins_mm)
        needed = MIN_ROW_MV * self.gain
        if self.row_mm < needed - 1e-9:
            most = max(0, math.floor((self.paper_mm[0] - sum(self.margins_mm)) / needed + 1e-9))
            raise LayoutError(
                f"the {self.bands} rows of layout {self.layout.name} get {self.row_mm:.1f} mm each "
                f"of {self.paper_mm[0]:g} mm of paper, and need {needed:g} at {self.gain:g} mm/mV",
                remedy=f"Up to {most} rows fit; or ask for a lower gain or higher paper",
            )

    def _longest(self) -> float:
        """Return the longest window that fits: the complete layout or whole half-seconds."""
        room = self.paper_mm[1] - (PULSE_SECONDS * self.speed if self.pulse else 0.0)
        most = room / self.speed
        whole = self.layout.seconds
        return whole if most >= whole else math.floor(most * 2) / 2

    # lengths ------------------------------------------------------------------------------

    @cached_property
    def window(self) -> tuple[float, float]:
        """(start, stop) of the printed window in seconds of the recording; the start is 0."""
        return 0.0, self._longest() if self.seconds is None else self.seconds

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = (round(mm / MM_PER_INCH * self.dpi) for mm in self.paper_mm)
        return height, width

    @property
    def px_per_mm(self) -> float:
        """Pixels per millimetre, the same in both directions."""
        return self.dpi / MM_PER_INCH

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The layout's cells, each cut to its share of the window."""
        share = self.window[1] / self.layout.seconds
        if share == 1.0:
            return self.layout.cells
        return tuple(
            replace(c, start=c.start * share, stop=c.stop * share) for c in self.layout.cells
        )

    @cached_property
    def left_mm(self) -> float:
        """Distance from the left edge to the pulse: whole boxes, with centred traces."""
        spare = self.paper_mm[1] - self.window[1] * self.speed
        boxes = math.floor(spare / 2 / BOX_MM)
        pulse = PULSE_SECONDS * self.speed if self.pulse else 0.0
        return max(0.0, min(boxes * BOX_MM, spare - pulse))

    @property
    def trace_mm(self) -> float:
        """Distance from the left edge to the first sample."""
        return self.left_mm + (PULSE_SECONDS * self.speed if self.pulse else 0.0)

    @property
    def bands(self) -> int:
        """Number of rows, including rhythm strips."""
        return self.layout.rows + self.layout.strips

    @property
    def row_mm(self) -> float:
        """Distance between rows."""
        if self.margins_mm is None:
            return self.paper_mm[0] / (self.bands + 2)
        return (self.paper_mm[0] - sum(self.margins_mm)) / self.bands

    @property
    def head_mm(self) -> float:
        """Distance from the upper edge to the band of the first row."""
        if self.margins_mm is not None:
            return self.margins_mm[0]
        # without strips, the kit keeps the lowest band empty and the rows end above it
        foot = self.row_mm if self.layout.strips == 0 else 0.0
        return self.paper_mm[0] - foot - self.bands * self.row_mm

    def place(self, cell: Cell) -> int:
        """Return the index of the cell's band on the page, 0 at the top."""
        if not self.strips_on_top:
            return cell.row
        return cell.row - self.layout.rows if cell.strip else cell.row + self.layout.strips

    def baseline_mm(self, cell: Cell) -> float:
        """Return the height of the cell's 0 mV line above the lower edge of the page."""
        place = self.place(cell)
        if self.margins_mm is not None:
            return self.margins_mm[1] + self.row_mm * (self.bands - 0.5 - place)
        if cell.strip and not self.strips_on_top:
            return self.row_mm * (0.5 + self.bands - 1 - place) + STRIP_LIFT_MM
        strips = max(self.layout.strips, 1)
        return self.row_mm * (0.5 + strips + self.layout.rows - 1 - place)

    def start_mm(self, cell: Cell) -> float:
        """Return the distance from the left edge to the start of the cell."""
        width = self.window[1] / self.layout.columns
        return self.trace_mm + (0.0 if cell.strip else cell.column * width * self.speed)

    # pixels -------------------------------------------------------------------------------

    def xy(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """Return the pixel of a position given in mm from the lower left corner."""
        return x_mm * self.px_per_mm, self.size[0] - y_mm * self.px_per_mm

    def to_pixel(
        self,
        cell: Cell,
        seconds: float | NDArray[np.floating],
        mv: float | NDArray[np.floating],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pixel (x, y) of `mv` millivolts at `seconds` of the window.

        The arguments broadcast. `cell` is one of `self.cells`. Times outside the cell's window are
        extrapolated linearly.
        """
        scale, up = self.px_per_mm, cell.sign * self.gain * self.px_per_mm
        t = np.asarray(seconds, np.float64) - cell.start
        x = self.start_mm(cell) * scale + t * (self.speed * scale)
        y = (self.size[0] - self.baseline_mm(cell) * scale) - np.asarray(mv, np.float64) * up
        return x, y

    def locate(self, x: float, y: float) -> tuple[str, float, float] | None:
        """Return the (lead, seconds, mV) printed at a pixel, or None where no lead is printed.

        If several rows share a column, the row with the nearest 0 mV line is chosen. Large
        deflections reach into neighbouring rows, so a trace near its neighbour's baseline is
        ambiguous.
        """
        index = self.locate_cell(x, y)
        if index is None:
            return None
        cell = self.cells[index]
        x0, y0 = self.to_pixel(cell, cell.start, 0.0)
        seconds = cell.start + (x - float(x0)) / (self.speed * self.px_per_mm)
        mv = (float(y0) - y) / (cell.sign * self.gain * self.px_per_mm)
        return cell.lead, seconds, mv

    def locate_cell(self, x: float, y: float) -> int | None:
        """Return the index into `cells` of the cell at a pixel; see `locate`."""
        height, width = self.size
        if not (0 <= x < width and 0 <= y < height):
            return None
        best, nearest = None, math.inf
        for index, cell in enumerate(self.cells):
            x0, y0 = (float(v) for v in self.to_pixel(cell, cell.start, 0.0))
            x1 = float(self.to_pixel(cell, cell.stop, 0.0)[0])
            # the tolerance assigns a boundary to the right-hand cell despite rounding
            if x0 - 1e-6 <= x < x1 - 1e-6 and abs(y - y0) < nearest:
                best, nearest = index, abs(y - y0)
        return best

    def samples(self, cell: Cell, length: int, rate: float) -> slice:
        """Return the samples that the cell prints of `length` samples at `rate` Hz.

        Sample i is taken at i / rate seconds. A rounding tolerance keeps a sample at a window's
        edge in exactly one of two neighbouring windows.
        """
        first = math.ceil(cell.start * rate - 1e-6)
        last = math.ceil(cell.stop * rate - 1e-6)
        return slice(min(first, length), min(last, length))

    def observed(self, length: int, rate: float) -> NDArray[np.bool_]:
        """Return (12, length) bool, True where a sample is printed at least once."""
        seen = np.zeros((len(LEADS), length), bool)
        for cell in self.cells:
            seen[LEAD_INDEX[cell.lead], self.samples(cell, length, rate)] = True
        return seen

    def fit(self, size: tuple[int, int]) -> Page:
        """Return this page at the highest resolution that fits in [height, width] pixels."""
        height, width = size
        if height < 1 or width < 1:
            raise LayoutError("a page needs at least one pixel", value=size)
        dpi = MM_PER_INCH * min(height / self.paper_mm[0], width / self.paper_mm[1])
        return replace(self, dpi=dpi)
