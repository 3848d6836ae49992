"""From a picture to waveforms: flatten the paper, see names and rows, arrange leads, trace them.

Runs on numpy and OpenCV; the two networks are given as functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.core.page import PULSE_SECONDS
from ecgvision.data.standard_page import PrintedLead
from ecgvision.reader.confidence import RIGHT_MV
from ecgvision.reader.layout.arrangement import FULL_MM, NEAR_FULL, Arrangement, arrange
from ecgvision.reader.layout.columns import find_edges
from ecgvision.reader.layout.maps import PX_PER_MM, PageMaps
from ecgvision.reader.layout.printed import printed_leads
from ecgvision.reader.layout.rows import Mark, Row, find_marks, find_rows, names_twice
from ecgvision.reader.rectify.mesh import Mesh, plain_mesh
from ecgvision.reader.rectify.paper import find_paper
from ecgvision.reader.trace import strips
from ecgvision.reader.trace.rhythm_strip import lead_of_strip
from ecgvision.reader.trace.strips import Curve, Tracer

RATE, SECONDS = 500.0, 10.0
"""Sampling rate in Hz and length of the waveforms."""

Viewer = Callable[[NDArray[np.uint8]], PageMaps]
"""From a flat page (3, H, W) uint8 at `maps.PX_PER_MM`, H and W multiples of `MULTIPLE`, to its
maps."""

MULTIPLE = 128

UPRIGHT = 0.35
"""Evidence (see `Arrangement.evidence`) from which a page is taken to lie upright; our default:
below it the other three ways are tried."""

TURNED = 0.15
"""Evidence that a turned page must have beyond that of the page as it lies; our default: of pages
whose names cannot be read, chance brings a tenth."""

DOUBTFUL = 0.85
"""Support (see `View.support`) below which a page with a grid is also looked at as one without,
unless its rows are ten seconds long; our default: a dense grid may be taken for one of another
pitch, and then most names are still read."""

EDGE_MM = 2.0
"""A row that runs so near to an edge of the picture is that edge, and no trace."""

ACROSS, ROWS_ACROSS = 0.6, 3
"""So many rows, each over this share of the page's width, run across; our defaults."""

TWICE = 6
"""Leads named twice from which a picture shows two ECGs; our default: strips repeat three."""

WIDTHS_MM = (215.0, 250.0, 290.0)
"""Widths that a picture without a visible grid may have; the one with most evidence is taken."""

SAME_SCALE, OTHER_SCALE = 0.01, 0.35
"""Logarithms of the ratio of two scales: below the first they are the same, and above the second
the columns of leads do not tell the scale."""

GAINS = {5.0: 0.1, 10.0: 2.0, 20.0: 0.1}
"""Gains that are told apart, in mm/mV, and how many pulses the prior odds of each are worth."""

NEAR_PULSE_MM = 8.0
"""Distance of the end of a pulse from the start of a row up to which it is the row's own."""

SLACK_MM = 0.5
"""Error of a pulse's place: it tells a row that began with its pulse, and no less."""

READ = 0.6
"""Probability of a strip's name from which it is believed; our default."""

COLUMNS_SEEN, COLUMNS_MM = 0.5, 1.0
"""Share of the changes of leads that must be seen for the columns to tell where traces begin, and
their error; our defaults."""

FIRST_MM = 4.0
"""How far the first printed column of a row may be from where the row seemed to begin."""


@dataclass(frozen=True, eq=False)
class View:
    """What was seen of a picture before any trace was followed.

    Attributes:
        mesh: from millimetres of paper to pixels of the picture, the page upright.
        quarters: quarter turns to the left that made it upright.
        grid: whether the grid was seen; otherwise the scale is a guess.
        rows, marks: see `layout.rows`.
        arrangement: of the leads; None if there is no row.
    """

    mesh: Mesh
    quarters: int
    grid: bool
    rows: list[Row]
    marks: list[Mark]
    arrangement: Arrangement | None

    @property
    def evidence(self) -> float:
        """See `Arrangement.evidence`; 0 without an arrangement."""
        return 0.0 if self.arrangement is None else self.arrangement.evidence

    @property
    def support(self) -> float:
        """Evidence, less where another arrangement is as likely."""
        sure = 0.0 if self.arrangement is None else self.arrangement.probability
        return self.evidence * (1 + sure) / 2

    @property
    def to_scale(self) -> bool:
        """Whether rows are as long as ten seconds, so that the grid was taken for what it is."""
        lengths = [row.right - row.left for row in self.rows]
        return sum(abs(mm / FULL_MM - 1) < NEAR_FULL for mm in lengths) >= ROWS_ACROSS

    @property
    def two_ecgs(self) -> bool:
        """Whether most leads are named twice."""
        return names_twice(self.marks) >= TWICE

    @property
    def lies_flat(self) -> bool:
        """Whether rows of traces run across, so that the page does not lie on its side."""
        width = self.mesh.size_mm[1]
        return sum(row.right - row.left > ACROSS * width for row in self.rows) >= ROWS_ACROSS


@dataclass(frozen=True, eq=False)
class FlatReading:
    """What was read of a picture, with T = `RATE` * `SECONDS` samples.

    Attributes:
        signal: (12, T) mV, NaN where nothing is printed.
        spread: (12, T) standard deviation of the error that is expected, in mV.
        printed: (12, T) the probability that the sample is printed.
        trace: (12, T, 2) x, y of the samples in pixels of the picture, NaN where not printed.
        gain: mm/mV.
        gain_probability: how surely the gain was seen.
        view: the steps before.
        leads: where each lead is printed.
    """

    signal: NDArray[np.float32]
    spread: NDArray[np.float32]
    printed: NDArray[np.float32]
    trace: NDArray[np.float64]
    gain: float
    gain_probability: float
    view: View
    leads: tuple[PrintedLead, ...] = ()

    def raw_confidence(self) -> NDArray[np.float64]:
        """Return the uncalibrated confidence of each lead, (12,); 0 if it was not found.

        It is the mean probability that a sample is printed and right to within `RIGHT_MV`, times
        the probability of the arrangement and of the gain, less where few names were read.
        """
        found = np.isfinite(self.signal)
        right = self.printed * (1 - np.exp(-RIGHT_MV * np.sqrt(2) / np.maximum(self.spread, 1e-6)))
        mean = np.where(found, right, 0).sum(1) / np.maximum(found.sum(1), 1)
        arrangement = self.view.arrangement
        sure = 0.0 if arrangement is None else arrangement.probability
        return np.asarray(mean * sure * (0.5 + 0.5 * self.view.evidence) * self.gain_probability)


def read_picture(
    picture: NDArray[np.uint8], viewer: Viewer, tracer: Tracer, *, gain: float | None = None,
    speed: float = 25.0,
) -> FlatReading:  # fmt: skip
    """Read a picture of a page.

    Args:
        picture: (H, W, 3) uint8 RGB of any size, the page at any angle.
        viewer, tracer: the networks.
        gain: mm/mV; None reads it off the calibration pulses.
        speed: mm/s.
    """
    view = look(picture, viewer, speed)
    flat = view.mesh.flatten(picture, strips.PX_PER_MM, strips.COLUMNS_PER_MM)
    return trace(flat, view, tracer, gain)


def look(picture: NDArray[np.uint8], viewer: Viewer, speed: float) -> View:
    """Find the paper, the right way up, and the arrangement of its leads."""
    paper = find_paper(picture)
    plain = [plain_mesh(picture.shape, picture.shape[1] / mm) for mm in WIDTHS_MM]
    meshes = plain if paper is None else [paper.mesh]
    best: View | None = None
    for quarters in (0, 2, 1, 3):
        if quarters % 2 and best is not None and best.lies_flat:
            continue
        views = [_view(picture, mesh.turned(quarters), quarters, paper is not None, viewer, speed)
                 for mesh in meshes]  # fmt: skip
        found = max(views, key=lambda view: view.evidence)
        if best is None or found.evidence > best.evidence + TURNED:
            best = found
        if best.evidence > UPRIGHT:
            break
    assert best is not None  # there is a mesh
    if best.grid and best.support < DOUBTFUL and not best.to_scale:
        views = [_view(picture, mesh.turned(best.quarters), best.quarters, False, viewer, speed)
                 for mesh in plain]  # fmt: skip
        best = max([best, *views], key=lambda view: view.support + TURNED * view.grid)
    return best if best.grid else _rescaled(picture, best, viewer, speed)


def _rescaled(picture: NDArray[np.uint8], view: View, viewer: Viewer, speed: float) -> View:
    """Return the view at the scale at which the leads of a page without a grid take ten seconds."""
    if view.arrangement is None or view.evidence < UPRIGHT:
        return view
    segments = view.arrangement.segments
    width = max(s.right for s in segments) - min(s.left for s in segments)
    ratio = width / (SECONDS * speed)
    if not SAME_SCALE < abs(math.log(ratio)) < OTHER_SCALE:
        return view
    mesh = plain_mesh(picture.shape, view.mesh.px_per_mm * ratio).turned(view.quarters)
    again = _view(picture, mesh, view.quarters, False, viewer, speed)
    return again if again.evidence > view.evidence - TURNED else view


def _view(
    picture: NDArray[np.uint8], mesh: Mesh, quarters: int, grid: bool, viewer: Viewer, speed: float
) -> View:
    maps = see(mesh.flatten(picture, PX_PER_MM), viewer)
    rows = [row for row in find_rows(maps) if not _is_edge(row, mesh, picture.shape)]
    marks = find_marks(maps)
    arrangement = arrange(rows, marks, speed, find_edges(maps, rows))
    return View(mesh, quarters, grid, rows, marks, arrangement)


def _is_edge(row: Row, mesh: Mesh, shape: tuple[int, ...]) -> bool:
    """Whether a row runs along an edge of the picture; see `EDGE_MM`."""
    x = np.linspace(row.left, row.right, 9)
    points = mesh.to_picture(np.stack([x, np.full_like(x, row.y)], axis=-1))
    room = np.minimum(points, np.array([shape[1], shape[0]]) - points).min(axis=1)
    return bool(np.median(room) < EDGE_MM * mesh.px_per_mm)


def see(flat: NDArray[np.uint8], viewer: Viewer) -> PageMaps:
    """Return the maps of a flat page of any size."""
    height, width = flat.shape[:2]
    down, across = (-n % MULTIPLE for n in (height, width))
    page = cv2.copyMakeBorder(flat, 0, down, 0, across, cv2.BORDER_REPLICATE)
    maps = viewer(np.ascontiguousarray(page.transpose(2, 0, 1)))
    part = np.s_[..., : height // PX_PER_MM, : width // PX_PER_MM]
    return PageMaps(*(value[part] for value in maps))


def trace(flat: NDArray[np.uint8], view: View, tracer: Tracer, gain: float | None) -> FlatReading:
    """Follow the traces of a flat page at the resolution of strips."""
    samples = round(SECONDS * RATE)
    signal = np.full((len(LEADS), samples), np.nan, np.float32)
    spread, printed = np.zeros_like(signal), np.zeros_like(signal)
    place = np.full((*signal.shape, 2), np.nan)
    seen, sure = read_gain(view.rows, view.marks)
    gain, sure = (seen, sure) if gain is None else (gain, 1.0)
    leads: tuple[PrintedLead, ...] = ()
    if view.arrangement is not None:
        used = sorted({segment.row for segment in view.arrangement.segments})
        curves = dict(zip(used, strips.read_curves(flat, [view.rows[k] for k in used], tracer),
                          strict=True))  # fmt: skip
        arrangement = view.arrangement.moved(_shift(view, curves))
        traces = _traces(arrangement, view, curves, gain)
        arrangement = replace(
            arrangement, name=_named(arrangement, traces),
            segments=tuple(replace(s, lead=t.lead)
                           for s, t in zip(arrangement.segments, traces, strict=True)),
        )  # fmt: skip
        view = replace(view, arrangement=arrangement)
        leads = printed_leads(arrangement, view.rows, view.mesh, gain)
        for new in sorted(traces, key=lambda trace: trace.strip):
            lead = LEAD_INDEX[new.lead]
            free = np.isfinite(new.signal) & np.isnan(signal[lead])
            for whole, part in ((signal, new.signal), (spread, new.spread), (printed, new.printed)):
                whole[lead, free] = part[free]
            place[lead, free] = view.mesh.to_picture(np.stack([new.x[free], new.y[free]], axis=-1))
    return FlatReading(signal, spread, printed, place, gain, sure, view, leads)


@dataclass(eq=False)
class _Trace:
    """A segment as it was read; arrays of (T,), NaN where the trace is not printed."""

    lead: str
    strip: bool
    signal: NDArray[np.float64]
    spread: NDArray[np.float64]
    printed: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def _traces(
    arrangement: Arrangement, view: View, curves: dict[int, Curve], gain: float
) -> list[_Trace]:
    """Return the trace of every segment; strips are named by what they repeat."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    found = []
    for segment in arrangement.segments:
        row, curve = view.rows[segment.row], curves[segment.row]
        x = segment.left + (time - segment.start) * arrangement.speed
        at, columns = x * strips.COLUMNS_PER_MM - 0.5, np.arange(len(curve.y))
        shown = np.interp(at, columns, curve.printed, left=0, right=0)
        new = (x >= segment.left) & (x < segment.right) & (shown > 0.5)
        known = curve.printed > 0.5  # elsewhere a height means nothing
        y, off = np.full((2, len(x)), np.nan)
        if new.any():
            y[new] = np.interp(at[new], columns[known], curve.y[known])
            off[new] = np.interp(at[new], columns[known], curve.spread[known])
        found.append(_Trace(segment.lead, segment.strip, segment.sign * (row.y - y) / gain,
                            off / gain, np.where(new, shown, np.nan), x, y))  # fmt: skip
    short = {t.lead: t.signal for t in found if not t.strip}
    for segment, trace in zip(arrangement.segments, found, strict=True):
        if trace.strip and segment.probability < READ:
            trace.lead = lead_of_strip(trace.signal, short, trace.lead)
    return found


def _named(arrangement: Arrangement, traces: list[_Trace]) -> str:
    """Return the arrangement's name with the leads that its strips repeat."""
    strip = [t.lead for t in traces if t.strip]
    grid = arrangement.name.split("+")
    return "+".join([*grid[: len(grid) - len(strip)], *strip]) if strip else arrangement.name


def read_gain(rows: list[Row], marks: list[Mark]) -> tuple[float, float]:
    """Return the gain in mm/mV and its probability, from the heights of the pulses.

    A pulse of 1 mV stands on its row's 0 mV line, so its middle is half the gain above it.
    """
    votes = dict(GAINS)
    for mark in marks:
        if mark.kind != "pulse":
            continue
        heights = [2 * (row.y - mark.y) for row in rows if -2 < row.left - mark.x < 15]
        for height in heights:
            nearest = min(GAINS, key=lambda g: abs(np.log(max(height, 0.1) / g)))
            if abs(np.log(max(height, 0.1) / nearest)) < 0.35:
                votes[nearest] += mark.probability
    best = max(GAINS, key=lambda g: votes[g])
    return best, votes[best] / sum(votes.values())


def _shift(view: View, curves: dict[int, Curve]) -> float:
    """Return by how many mm the traces begin later than the rows that were seen, the median.

    A trace does not begin before its calibration pulse has ended, to within `SLACK_MM`.
    """
    assert view.arrangement is not None
    left = min(segment.left for segment in view.arrangement.segments)
    first, last = (round((left + d) * strips.COLUMNS_PER_MM) for d in (-FIRST_MM, FIRST_MM))
    found = []
    for curve in curves.values():
        blank = np.flatnonzero(curve.printed[max(first, 0) : last] <= 0.5) + max(first, 0)
        if len(blank) and blank[-1] < last - 1:  # the run that goes on begins after the last blank
            found.append((blank[-1] + 1) / strips.COLUMNS_PER_MM - left)
    shift = float(np.median(found)) if found else 0.0
    half = PULSE_SECONDS / 2 * view.arrangement.speed
    ends = [mark.x + half for mark in view.marks if mark.kind == "pulse"]
    near = [end - left for end in ends if abs(end - left) < NEAR_PULSE_MM]
    if near:
        shift = max(shift, float(np.median(near)) - SLACK_MM)
    if view.arrangement.seen >= COLUMNS_SEEN:
        shift = min(max(shift, -COLUMNS_MM), COLUMNS_MM)
    return shift
