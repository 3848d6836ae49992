"""Endless training crops of flat pages, with what the two networks are to say of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from ecgvision.core.page import PULSE_SECONDS, Page
from ecgvision.reader.data.flat.drawing import draw_flat
from ecgvision.reader.data.flat.text_blocks import add_print
from ecgvision.reader.data.flat.wear import bend, wear
from ecgvision.reader.layout import maps
from ecgvision.reader.layout.maps import MARKS, NAMES
from ecgvision.reader.trace import strips
from ecgvision.render.geometry import CellGeometry
from ecgvision.render.page_annotations import labels
from ecgvision.render.style import Style
from ecgvision.store.packed import Store

MARK_SIDE = 384
"""Side in pixels of a crop in which rows and marks are found: 96 mm."""

STRIP_WIDTH = 384
"""Width in pixels of a strip: 32 mm."""

DRAWN_PX_PER_MM = 8
"""Resolution at which pages are drawn and worn before their strips are brought to that of strips;
our default: pictures are seldom finer."""

BEYOND_PX = 60
"""How far a crop may reach beyond the page."""

OFF_CENTRE_MM = 2.0
"""Standard deviation of a strip's height: rows are found with an error, and leads drift."""

STRIPS_PER_PAGE = 4
POOL = 32
"""Strips of one page, and the number of strips from which the next is drawn: batches mix pages."""

EDGE_MM = 1.0
"""Distance from a row's line, a start or an end up to which a cell belongs to it."""

TALL_MM = 4
"""Height of a start or end, on either side of the row's line."""


class Crops(IterableDataset[tuple[torch.Tensor, ...]]):
    """Crops of pages of random records, an endless stream that depends on the seed alone.

    Args:
        stores: signals; labels are ignored.
        rows: for each store, the indices of its records; None takes all.
        seed: of the stream; workers draw different parts of it.
    """

    def __init__(
        self, stores: Sequence[Store], rows: Sequence[NDArray[np.int64]] | None = None, *,
        seed: int = 0,
    ) -> None:  # fmt: skip
        self.stores, self.seed = list(stores), seed
        chosen = [np.arange(len(store)) for store in stores] if rows is None else rows
        self.records = [(k, int(row)) for k, of in enumerate(chosen) for row in of]

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, 0 if worker is None else worker.id])
        for item in self.draw(rng):
            yield tuple(torch.from_numpy(np.ascontiguousarray(value)) for value in item)

    def draw(self, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.generic], ...]]:
        """Draw crops without end."""
        raise NotImplementedError

    def record(self, rng: np.random.Generator) -> tuple[Store, int]:
        """Return a random record."""
        store, row = self.records[int(rng.integers(len(self.records)))]
        return self.stores[store], row


class MarkCrops(Crops):
    """Crops with rows, names and pulses.

    Item, with n = MARK_SIDE / 4 cells a side: image uint8 (3, MARK_SIDE, MARK_SIDE); kind int64
    (n, n), an index into `MARKS` or their number for none; row, start, end float32 (n, n) of 0 and
    1; offset float32 (n, n), how far below the cell's middle the row's line is, in cells, NaN far
    from a row.
    """

    def draw(self, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.generic], ...]]:
        while True:
            drawing, page, style = draw_flat(*self.record(rng), rng, maps.PX_PER_MM)
            height, width = drawing.image.shape[:2]
            top, left = (int(rng.uniform(-BEYOND_PX, max(n - MARK_SIDE + BEYOND_PX, 1)))
                         for n in (height, width))  # fmt: skip
            image = cut(drawing.image, top, left, (MARK_SIDE, MARK_SIDE), _beyond(rng))
            image = add_print(rng, image, maps.PX_PER_MM)
            image, _ = bend(rng, image, np.zeros((0, 2)), maps.PX_PER_MM)
            image = wear(rng, image, maps.PX_PER_MM)
            truth = mark_truth(page, style, drawing.geometry.cells, top, left)
            yield image.transpose(2, 0, 1), *truth


def mark_truth(
    page: Page, style: Style, cells: Sequence[CellGeometry], top: int, left: int
) -> tuple[NDArray[np.int64], *tuple[NDArray[np.float32], ...]]:
    """Return kind, row, offset, start and end of a crop; see `MarkCrops`."""
    side = MARK_SIDE // maps.PX_PER_MM
    row, start, end = (np.zeros((side, side), np.float32) for _ in range(3))
    offset = np.full((side, side), np.nan, np.float32)
    middles = np.arange(side) + 0.5
    for cell in cells:
        points = cell.points
        shown = points[np.isfinite(points[:, 1]), 0] if points is not None else np.zeros(0)
        if not len(shown):
            continue
        y = (cell.baseline - top) / maps.PX_PER_MM
        first, last = ((x - left) / maps.PX_PER_MM for x in (shown[0], shown[-1]))
        across = (middles > first - 0.5) & (middles < last + 0.5)
        away = np.abs(middles - y)
        row[np.ix_(away <= EDGE_MM, across)] = 1
        near = np.ix_(away < 2.5, across)
        offset[near] = np.broadcast_to((y - middles)[:, None], offset.shape)[near]
        for edge, x in ((start, first), (end, last)):
            edge[np.ix_(away < TALL_MM + 0.5, np.abs(middles - x) <= EDGE_MM)] = 1
    kind = np.full((side, side), len(MARKS), np.int64)
    for x, y, what in _marks(page, style):
        reach = 2.01 if MARKS[what] == "pulse" else 1.01
        x, y = ((v - o) / maps.PX_PER_MM for v, o in ((x, left), (y, top)))
        kind[np.ix_(np.abs(middles - y) <= reach, np.abs(middles - x) <= reach)] = what
    return kind, row, offset, start, end


def _marks(page: Page, style: Style) -> Iterator[tuple[float, float, int]]:
    """Return x and y in pixels and the kind of every name and pulse on a page."""
    for part in labels(page, style):
        name = None if part.cell is None else page.cells[part.cell].label
        if name in NAMES:
            height, width = part.coverage.shape
            yield part.left + width / 2, part.top + height / 2, NAMES.index(name)
    if style.pulse and page.pulse:
        middle = page.left_mm + PULSE_SECONDS / 2 * page.speed
        for cell in {cell.row: cell for cell in page.cells}.values():
            x, y = page.xy(middle, page.baseline_mm(cell) + page.gain / 2)
            yield x, y, MARKS.index("pulse")


class StripCrops(Crops):
    """Strips around the 0 mV line of a row.

    Item: image uint8 (3, strips.HEIGHT, STRIP_WIDTH); y float32 (STRIP_WIDTH,), height of the row's
    trace in every column, in pixels from the top, NaN where it is not printed.
    """

    def draw(self, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.generic], ...]]:
        pool: list[tuple[NDArray[np.uint8], NDArray[np.float32]]] = []
        while True:
            pool += self._of_page(rng)
            while len(pool) > POOL - STRIPS_PER_PAGE:
                yield pool.pop(int(rng.integers(len(pool))))

    def _of_page(
        self, rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        px = DRAWN_PX_PER_MM
        drawing, _, _ = draw_flat(*self.record(rng), rng, px)
        rows: dict[int, list[CellGeometry]] = {}
        for cell in drawing.geometry.cells:
            rows.setdefault(cell.cell.row, []).append(cell)
        beyond, keep = _beyond(rng), 3 * px  # kept around, so that bending brings in print
        size = (round(strips.HEIGHT * px / strips.PX_PER_MM),
                round(STRIP_WIDTH * px / strips.COLUMNS_PER_MM))  # fmt: skip
        fine = strips.COLUMNS_PER_MM / px  # columns of a strip for each drawn pixel
        for _ in range(STRIPS_PER_PAGE):
            cells = rows[list(rows)[int(rng.integers(len(rows)))]]
            left_end, right_end = (fit(cell.box[k] for cell in cells)
                                   for fit, k in ((min, 0), (max, 2)))  # fmt: skip
            left = int(rng.uniform(left_end - 12 * px, right_end - size[1] + 12 * px)) - keep
            drift = rng.normal(0, OFF_CENTRE_MM) * px
            top = round(cells[0].baseline - size[0] / 2 + drift) - keep
            image = cut(drawing.image, top, left, [n + 2 * keep for n in size], beyond)
            middles = (np.arange(round(image.shape[1] * fine)) + 0.5) / fine
            heights = column_heights(cells, left + middles, 1 / fine) - top
            image = add_print(rng, image, px)
            image, points = bend(rng, image, np.stack([middles, heights], axis=1), px)
            image = wear(rng, image, px)[keep:-keep, keep:-keep]
            image = np.asarray(cv2.resize(image, (STRIP_WIDTH, strips.HEIGHT)), np.uint8)
            known = np.isfinite(points[:, 1])
            y = np.full(len(middles), np.nan)
            if known.any():
                y = np.interp(middles, points[:, 0], np.nan_to_num(points[:, 1]))
                y[~known] = np.nan
            first = round(keep * fine)
            y = (y[first : first + STRIP_WIDTH] - keep) * strips.PX_PER_MM / px
            yield image.transpose(2, 0, 1), y.astype(np.float32)


def column_heights(
    cells: Sequence[CellGeometry], middles: NDArray[np.float64], width: float
) -> NDArray[np.float64]:
    """Return the y of a row's trace in every column, NaN where not printed.

    It is the mean of three places in the column.

    Args:
        cells: the row's, with points.
        middles: x of the columns' middles in pixels.
        width: of a column in pixels.
    """
    heights = []
    for part in (-1 / 3, 0.0, 1 / 3):
        x, y = middles + part * width, np.full(len(middles), np.nan)
        for cell in cells:
            points = cell.points
            if points is None or len(points) < 2:
                continue
            inside = (x >= points[0, 0]) & (x <= points[-1, 0])
            # np.interp passes NaN on to both sides of a gap
            y[inside] = np.interp(x[inside], points[:, 0], points[:, 1])
        heights.append(y)
    return np.asarray(np.mean(heights, axis=0), np.float64)


def cut(
    image: NDArray[np.uint8], top: int, left: int, size: Sequence[int], beyond: int
) -> NDArray[np.uint8]:
    """Return a part of an image, with the level `beyond` outside the image."""
    out = np.full((*size, 3), beyond, np.uint8)
    height, width = image.shape[:2]
    rows = slice(max(0, top), min(height, top + size[0]))
    columns = slice(max(0, left), min(width, left + size[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        out[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[
            rows, columns
        ]
    return out


def _beyond(rng: np.random.Generator) -> int:
    """Return the level of what surrounds a page: mostly white."""
    return 255 if rng.random() < 2 / 3 else int(rng.uniform(0, 255))
