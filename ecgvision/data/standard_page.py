"""The standard page: the leads of a page of any layout, put where one layout prints them.

A network that sees standard pages has neither layouts nor scales to learn. Each lead is cut out of
the picture along its own 0 mV line, at 25 mm/s and 10 mm/mV, and put where `LAYOUT` prints it.
Training pages are cut by their known geometry with the errors that a page reader makes
(`ReadingErrors`), pictures by what the reader found. Our own design. Imports numpy and OpenCV only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import Cell, get_layout
from ecgvision.core.page import MM_PER_INCH, Page
from ecgvision.data.network_input import PAPER_WHITE

if TYPE_CHECKING:
    from ecgvision.render.artefacts import Warp

LAYOUT = "3x4+II"
WIDTH_MM = 250.0
"""Ten seconds at 25 mm/s, without margins."""

FINER = 2
"""Pictures are sampled so many times finer than the network's input, and then averaged."""

BLUR_FROM, BLUR_SIGMA = 1.25, 0.75
"""How many times finer than needed a picture may be without a blur, and the blur's sigma in pixels
for each time more; our defaults, by which a record's pages at 75 to 300 dpi look most alike."""

ZERO_POINTS = 33
"""Points of a 0 mV line; our default: bends of a page are longer than a thirtieth of it."""

OUTSIDE = -1e4
"""Coordinate outside every picture, where `cv2.remap` gives white."""

ENOUGH = 0.5
"""Share of a cell's time that must be printed at that time; else the lead is shown from its start
(our default)."""


NEIGHBOUR = 0.85
"""Share of the way to the neighbouring rows that is shown; our default: beyond, on a page of twelve
rows, most of the ink is the neighbour's."""

SAME_ROW_MV = 0.3
"""Leads whose 0 mV lines are closer than this stand in one row (our default)."""


@dataclass(frozen=True, eq=False)
class PrintedLead:
    """Where a lead is printed on a picture.

    Attributes:
        lead: one of `LEADS`.
        start, stop: printed window in seconds of the recording.
        zero: (N, 2) x, y in pixels of 0 mV, at N equally spaced times from start to stop.
        up: (N, 2) pixels by which 1 mV lies away from `zero`.
    """

    lead: str
    start: float
    stop: float
    zero: NDArray[np.float64]
    up: NDArray[np.float64]

    @property
    def px_per_second(self) -> float:
        """Mean number of pixels along a second."""
        steps = np.linalg.norm(np.diff(self.zero, axis=0), axis=1)
        return float(steps.sum() / (self.stop - self.start))

    def at(self, seconds: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `zero` and `up` at any times, (n, 2) each; extrapolated beyond the window."""
        place = (seconds - self.start) / (self.stop - self.start) * (len(self.zero) - 1)
        low = np.clip(np.floor(place).astype(int), 0, len(self.zero) - 2)
        share = (place - low)[:, None]
        zero, up = ((1 - share) * line[low] + share * line[low + 1]
                    for line in (self.zero, self.up))  # fmt: skip
        return zero, up

    def moved(self, warp: Warp) -> PrintedLead:
        """Return the lead on the image that `warp` leads to."""
        zero, top = warp(self.zero), warp(self.zero + self.up)
        return PrintedLead(self.lead, self.start, self.stop, zero, top - zero)


def rooms(leads: Sequence[PrintedLead]) -> list[tuple[float, float]]:
    """Return how many mV below and above its 0 mV each lead's nearest rows lie; else infinite."""
    if not leads:
        return []
    points = np.concatenate([lead.zero for lead in leads])
    owner = np.repeat(np.arange(len(leads)), [len(lead.zero) for lead in leads])
    found = []
    for number, lead in enumerate(leads):
        middle = len(lead.zero) // 2
        along, up = lead.zero[-1] - lead.zero[0], lead.up[middle]
        way = points - lead.zero[middle]
        beside = (np.abs(way @ along) < along @ along / 2) & (owner != number)
        mv = (way @ up / (up @ up))[beside]
        found.append((float(mv[mv < -SAME_ROW_MV].max(initial=-np.inf)),
                      float(mv[mv > SAME_ROW_MV].min(initial=np.inf))))  # fmt: skip
    return found


@lru_cache(maxsize=64)  # six layouts at six resolutions need 36
def printed_leads(page: Page) -> tuple[PrintedLead, ...]:
    """Return where a page prints its leads, in its pixels."""
    found = []
    for cell in page.cells:
        seconds = np.linspace(cell.start, cell.stop, ZERO_POINTS)
        zero, top = (np.stack(page.to_pixel(cell, seconds, np.full(ZERO_POINTS, mv)), axis=-1)
                     for mv in (0.0, 1.0))  # fmt: skip
        found.append(PrintedLead(cell.lead, cell.start, cell.stop, zero, top - zero))
    return tuple(found)


def stored_leads(geometry: Mapping[str, Any]) -> list[PrintedLead]:
    """Return where a stored page prints its leads, in its pixels.

    Args:
        geometry: the dict of `Geometry.to_dict`.
    """
    found = []
    for cell in geometry["leads"]:
        start, stop = cell["seconds"]
        if (bent := cell.get("baseline_points")) is not None:
            zero = np.asarray(bent, np.float64)
        else:
            left, _, right, _ = cell["box"]
            zero = np.linspace([left, cell["baseline"]], [right, cell["baseline"]], ZERO_POINTS)
        along = np.gradient(zero, axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        up = np.stack([along[:, 1], -along[:, 0]], axis=1)
        up *= cell["sign"] * geometry["gain"] * geometry["px_per_mm"]
        found.append(PrintedLead(cell["lead"], start, stop, zero, up))
    return found


class Misread(NamedTuple):
    """Errors of a reader about one lead.

    Attributes:
        seconds, mv: by how much what is shown lies too early, and too low.
        speed, gain: factors of the scales of time and voltage.
    """

    seconds: float = 0.0
    mv: float = 0.0
    speed: float = 1.0
    gain: float = 1.0


@dataclass(frozen=True)
class ReadingErrors:
    """Random errors of a page reader, drawn anew for every page.

    Standard deviations, half of each variance common to all leads of a page. Our defaults: what
    two thirds of the leads stay within when the package's reader reads clean drawn pages.

    Attributes:
        seconds, mv: of the places.
        scale: of the factors of time and voltage.
        missing: probability of a lead that is not found.
    """

    seconds: float = 0.025
    mv: float = 0.02
    scale: float = 0.005
    missing: float = 0.02

    def __call__(self, rng: np.random.Generator) -> dict[str, Misread | None]:
        """Return the errors of each lead; None for one that is not found."""
        sigma = np.array([self.seconds, self.mv, self.scale, self.scale]) / np.sqrt(2)
        values = sigma * (rng.standard_normal(4) + rng.standard_normal((len(LEADS), 4)))
        values[:, 2:] = np.exp(values[:, 2:])
        lost = rng.random(len(LEADS)) < self.missing
        found = zip(LEADS, values.tolist(), lost, strict=True)
        return {lead: None if gone else Misread(*value) for lead, value, gone in found}


@lru_cache(maxsize=8)
def standard_layout(size: tuple[int, int]) -> Page:
    """Return the geometry of standard pages of (height, width) pixels.

    Raises:
        ConfigError: if a row would be lower than 2.4 mV.
    """
    height, width = size
    paper = (WIDTH_MM * height / width, WIDTH_MM)
    dpi = MM_PER_INCH * width / WIDTH_MM
    page = Page(get_layout(LAYOUT), dpi=dpi, paper_mm=paper, pulse=False)
    if page.bands * 24 > paper[0]:
        raise ConfigError("a standard page is too low for its four rows", value=list(size),
                          remedy="Its height must be at least 0.4 of its width")  # fmt: skip
    return Page(page.layout, dpi=dpi, paper_mm=paper, pulse=False, margins_mm=(0.0, 0.0))


def standard_page(
    image: NDArray[np.uint8], leads: Sequence[PrintedLead], size: Sequence[int], *,
    errors: Mapping[str, Misread | None] | None = None,
) -> NDArray[np.uint8]:  # fmt: skip
    """Cut the leads out of a picture and put them where the standard page has them.

    Args:
        image: (h, w, 3) uint8 RGB.
        leads: where it prints them; a lead may occur twice.
        size: (height, width) of the result.
        errors: see `ReadingErrors`.

    Returns:
        (height, width, 3) uint8 RGB, white where nothing is printed.
    """
    height, width = int(size[0]), int(size[1])
    page = standard_layout((height, width))
    across = width * FINER / page.layout.seconds  # pixels per second, before averaging
    image, scale = _reduced(image, leads, across)
    place = np.full((height * FINER, width * FINER, 2), OUTSIDE, np.float32)
    half = height * FINER / page.bands / 2
    room = dict(zip(leads, rooms(leads), strict=True))
    for cell in page.cells:
        lead = _best(leads, cell)
        wrong = Misread() if errors is None else errors[cell.lead]
        if lead is None or wrong is None:
            continue
        (left, right), zero = _span(page, cell)
        seconds = cell.start + (np.arange(right - left) + 0.5) / across
        own = seconds if _covers(lead, cell) else seconds - cell.start + lead.start
        centre, up = lead.at(own + wrong.seconds + (own - own[0]) * (wrong.speed - 1))
        rows = np.arange(round(zero - half), round(zero + half))
        mv = (zero - rows - 0.5) / (page.gain * page.px_per_mm * FINER) * wrong.gain + wrong.mv
        block = place[rows[0] : rows[-1] + 1, left:right]
        np.multiply((up * scale).astype(np.float32), mv.astype(np.float32)[:, None, None], block)
        block += (centre * scale - 0.5).astype(np.float32)
        block[:, (own < lead.start) | (own >= lead.stop)] = OUTSIDE
        below, above = room[lead]
        block[(mv < NEIGHBOUR * below) | (mv > NEIGHBOUR * above)] = OUTSIDE
    fine = cv2.remap(
        image, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
        borderValue=(PAPER_WHITE,) * 3,
    )  # fmt: skip
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _reduced(
    image: NDArray[np.uint8], leads: Sequence[PrintedLead], across: float
) -> tuple[NDArray[np.uint8], float]:
    """Return the picture without detail finer than `across` pixels per second, and its scale.

    It is reduced by a whole number and what is left is blurred, as OpenCV averages over blocks of
    whole pixels many times faster than over parts of them.
    """
    fineness = float(np.median([lead.px_per_second for lead in leads])) / across if leads else 1.0
    height, width = image.shape[:2]
    times = min(max(1, int(fineness)), height, width)
    if times > 1:
        new = (width // times, height // times)
        blocks = image[: new[1] * times, : new[0] * times]
        image = np.asarray(cv2.resize(blocks, new, interpolation=cv2.INTER_AREA), np.uint8)
    if (left := fineness / times) > BLUR_FROM:
        sigma = BLUR_SIGMA * (left - 1)
        image = np.asarray(cv2.GaussianBlur(image, (3, 3), sigma), np.uint8)
    return image, 1 / times


def _span(page: Page, cell: Cell) -> tuple[tuple[int, int], float]:
    """Return from which to which column a cell reaches, and the y of 0 mV; before averaging."""
    x0, y = page.to_pixel(cell, cell.start, 0.0)
    x1, _ = page.to_pixel(cell, cell.stop, 0.0)
    return (round(float(x0) * FINER), round(float(x1) * FINER)), float(y) * FINER


def _overlap(lead: PrintedLead, cell: Cell) -> float:
    return max(0.0, min(lead.stop, cell.stop) - max(lead.start, cell.start))


def _covers(lead: PrintedLead, cell: Cell) -> bool:
    """Whether enough of the cell's time is printed, or the whole lead lies within it."""
    least = ENOUGH * min(cell.stop - cell.start, lead.stop - lead.start)
    return _overlap(lead, cell) >= least


def _best(leads: Sequence[PrintedLead], cell: Cell) -> PrintedLead | None:
    """Return the print of a cell's lead that shows most of the cell's time; None without any."""
    same = [lead for lead in leads if lead.lead == cell.lead]
    return max(same, key=lambda lead: (_overlap(lead, cell), lead.stop - lead.start), default=None)
