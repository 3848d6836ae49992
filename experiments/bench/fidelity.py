"""Benchmark of fidelity: compares pages in style `kit` with pages drawn by ecg-image-kit.

python -m experiments.bench fidelity --pages ../shared/data/kit-pages

Pages with wrinkles or rotation are left out, as artefacts are not part of the drawing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import DataError
from ecgvision.core.layouts import Layout, get_layout
from ecgvision.core.page import PULSE_SECONDS, Page
from ecgvision.render.papers.named import GRID_COLOURS, Rgb, Style, get_style

if TYPE_CHECKING:
    from ecgvision.render.draw import Drawing
    from ecgvision.render.geometry import CellGeometry

DEFAULT = Path(__file__).resolve().parents[2] / "../shared/data/kit-pages"


@dataclass(frozen=True)
class KitPage:
    """Settings of a page of the kit that its JSON does not state."""

    layout: str
    record: str
    pulse: bool = True
    header: tuple[str, ...] = ()
    synchronous: bool = False  # every column starts at sample 0


PAGES: dict[str, KitPage] = {
    "01_plain_default": KitPage("3x4+II", "00001_lr"),
    "02_store2_bbox_header": KitPage("3x4+II", "00001_lr", header=("ID: 00001_lr\tName: ",)),
    "04_random_grid_color": KitPage("3x4+II", "00001_lr", pulse=False),
    "10_bw": KitPage("3x4+II", "00001_lr"),
    "11_nogrid_nopulse": KitPage("3x4+II", "00002_lr", pulse=False),
    "16_6x2_config_order_sync": KitPage("6x2+II", "00002_lr", synchronous=True),
    "17_12x1_config_order": KitPage("12x1+II", "00002_lr"),
    "18_dpi100": KitPage("3x4+II", "00001_lr"),
    "2x_direct_12x1": KitPage("12x1", "00002_lr"),
    "2x_direct_3x4": KitPage("3x4", "00002_lr"),
    "2x_direct_3x4_II": KitPage("3x4+II", "00002_lr"),
    "2x_direct_6x2": KitPage("6x2", "00002_lr"),
    "2x_direct_6x2_II": KitPage("6x2+II", "00002_lr"),
}


@dataclass(frozen=True)
class Measures:
    """Differences of one page to the kit's. None: the kit wrote nothing to compare with.

    Attributes:
        points_px: largest distance of a sample's position to the kit's, along either axis.
        grid_max, grid_mean: maximum and mean difference in grey levels (0-255) of paper, grid and
            frame, away from traces, pulses, separators and text; the largest of three channels.
        trace_mae: mean absolute difference in grey levels within two pixels of the traces.
        ink_iou: intersection over union of dark pixels within two pixels of the traces. Dark means
            darker than half-way between the ink and the darker grid line.
        box_px: largest difference of a side of a lead's box to the kit's.
    """

    points_px: float | None
    grid_max: float
    grid_mean: float
    trace_mae: float
    ink_iou: float
    box_px: float | None


WORST = Measures(0.01, 2.0, 0.5, 2.0, 0.95, 1.0)
"""Limits for every page; `ink_iou` is a lower bound. Points, grid and trace follow the rules of the
kit as measured on its own pages. Boxes are whole pixels in the kit's JSON, hence 1."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder of the kit's pages."""
    parser.add_argument(
        "--pages", type=Path, default=DEFAULT, metavar="DIR", help="pages, their JSON and records/"
    )


def lacking() -> str:
    """Return what is missing: the kit's pages, if they are not at the default place."""
    return "" if DEFAULT.is_dir() else "it needs --pages, pages of ecg-image-kit"


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure every page; the first entry names the columns.

    Raises:
        DataError: if the folder or a picture is missing.
    """
    if not args.pages.is_dir():
        raise DataError("no such folder of pages", file=args.pages, remedy="Give it with --pages")
    table: dict[str, Any] = {"page": [f.name for f in fields(Measures)]}
    for name in PAGES:
        found = astuple(measure(name, args.pages))
        table[name] = ["-" if v is None else round(v, 4) for v in found]
    return table


def measure(name: str, folder: Path) -> Measures:
    """Measure one of `PAGES` against the kit's picture in the folder.

    Raises:
        DataError: if the picture cannot be read.
    """
    import cv2

    from ecgvision.records.reading import read_record
    from ecgvision.render.draw import draw

    asked = PAGES[name]
    about = folder / f"{name}.json"
    said = json.loads(about.read_text()) if about.is_file() else {}
    picture = cv2.imread(str(folder / f"{name}.png"))
    if picture is None:
        raise DataError("cannot read the kit's page", file=folder / f"{name}.png")
    theirs = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.int64)
    ecg = read_record(folder / "records" / asked.record)
    page = Page(_layout(asked), dpi=theirs.shape[1] / 11, pulse=asked.pulse)
    style = _style(said)
    drawing = draw(ecg.signal, ecg.rate, page, style, header=asked.header, mask=True)
    if "ecg_plot_color" not in said:  # take it from the middle of the trace
        assert drawing.mask is not None
        grey = int(np.median(theirs[drawing.mask == 255]))
        style = replace(style, ink=(grey, grey, grey))
        drawing = draw(ecg.signal, ecg.rate, page, style, header=asked.header, mask=True)
    pairs = _pairs(drawing, said.get("leads", []))
    boxed = [(c, lead) for c, lead in pairs if "lead_bounding_box" in lead and _right(page)]
    return Measures(
        max((_points_off(c, lead) for c, lead in pairs), default=None),
        *_picture(drawing, theirs, page, style, ecg.rate, asked.header),
        max((_box_off(page, c, lead, ecg.rate) for c, lead in boxed), default=None),
    )


def _layout(asked: KitPage) -> Layout:
    if asked.layout == "12x1+II":  # only the kit has it: no device we know prints it
        from ecgvision.core.layouts import CHEST, LIMB_LEADS, grid

        return grid("12x1+II", [(*LIMB_LEADS, *CHEST)], ["II"])
    layout = get_layout(asked.layout)
    if not asked.synchronous:
        return layout
    cells = [c if c.strip else replace(c, start=0.0, stop=c.stop - c.start) for c in layout.cells]
    return replace(layout, cells=tuple(cells))


def _style(said: dict[str, Any]) -> Style:
    grid = GRID_COLOURS["5"]
    if "grid_line_color_major" in said:
        grid = (_rgb(said["grid_line_color_major"]), _rgb(said["grid_line_color_minor"]))
    return get_style(
        "kit",
        grid=bool(said.get("gridlines", True)),
        grid_rgb=grid,
        ink=_rgb(said.get("ecg_plot_color", (0, 0, 0))),
    )


def _rgb(values: Sequence[float]) -> Rgb:
    r, g, b = (round(v) for v in values)
    return r, g, b


def _pairs(drawing: Drawing, leads: Sequence[dict]) -> list[tuple[CellGeometry, dict]]:
    """Pair each of the kit's leads with our cell.

    The kit lists the rhythm strip last, and every other lead once.
    """
    cells = drawing.geometry.cells
    strips = any(c.cell.strip for c in cells)
    found = []
    for i, lead in enumerate(leads):
        strip = strips and i == len(leads) - 1
        (cell,) = (c for c in cells if c.cell.strip == strip and c.cell.lead == lead["lead_name"])
        found.append((cell, lead))
    return found


def _points_off(cell: CellGeometry, lead: dict) -> float:
    """Return the largest distance of a sample to the kit's in px; inf if the samples differ."""
    assert cell.points is not None
    theirs = np.array(lead["plotted_pixels"])[:, ::-1]
    if cell.samples != (lead["start_sample"], lead["end_sample"]):
        return float("inf")
    if theirs.shape != cell.points.shape:
        return float("inf")
    return float(np.abs(cell.points - theirs).max())


def _right(page: Page) -> bool:
    """Return whether the kit's boxes are right; with a pulse they are only for 1 or 4 columns."""
    return not page.pulse or page.layout.columns in (1, 4)


def _box_off(page: Page, cell: CellGeometry, lead: dict, rate: float) -> float:
    """Return the largest difference of a box side to the kit's, in px.

    The kit's box encloses the samples and, in the first column, the pulse.
    """
    assert cell.points is not None
    low, high = cell.points.min(0), cell.points.max(0)
    if page.pulse and cell.cell.column == 0:
        seconds = (0.0, PULSE_SECONDS + 3 / rate)
        left, right = ((page.left_mm + s * page.speed) * page.px_per_mm for s in seconds)
        top = cell.baseline - page.gain * page.px_per_mm
        low, high = np.minimum(low, (left, top)), np.maximum(high, (right, cell.baseline))
    box = lead["lead_bounding_box"]
    (top, left), (bottom, right) = box["0"], box["2"]
    return float(np.abs(np.array([*low, *high]) - (left, top, right, bottom)).max())


def _picture(
    drawing: Drawing, theirs: NDArray, page: Page, style: Style, rate: float, header: Sequence[str]
) -> tuple[float, float, float, float]:
    import cv2

    assert drawing.mask is not None
    off = np.abs(drawing.image.astype(np.int64) - theirs)
    ink = (drawing.mask > 0).astype(np.uint8)
    near = cv2.dilate(ink, np.ones((5, 5))) > 0
    blank = (cv2.dilate(ink, np.ones((9, 9))) == 0) & ~_printed(page, style, rate, header)
    grid = off.max(2)[blank]
    lines = min(max(colour) for colour in style.grid_rgb) if style.grid else 255
    assert style.ink is not None
    limit = (style.ink[0] + lines) / 2
    ours = drawing.image.max(2)[near] < limit
    kits = theirs.max(2)[near] < limit
    iou = float((ours & kits).sum() / max(1, (ours | kits).sum()))
    return float(grid.max()), float(grid.mean()), float(off[near].mean()), iou


def _printed(page: Page, style: Style, rate: float, header: Sequence[str]) -> NDArray[np.bool_]:
    """Return the mask of bars and text.

    It has a margin of a few pixels, as FreeType builds hint differently.
    """
    from ecgvision.render import page_annotations

    found = np.zeros(page.size, bool)
    parts = page_annotations.bars(page, style, rate) + page_annotations.labels(page, style)
    for part in parts + page_annotations.header(page, style, header):
        high, wide = part.coverage.shape
        rows = slice(max(0, part.top - 3), part.top + high + 3)
        found[rows, max(0, part.left - 3) : part.left + wide + 5] = True
    return found
