"""Drawing of a recording as a printed page, in milliseconds and with its geometry.

The traces are coverage maps of the distance to the polyline, blended over the few distinct rows of
an empty page; see `kernels` and `grid`. `draw` is a pure function: the same arguments give the same
bytes.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.core.page import Page
from ecgvision.render import kernels, page_annotations
from ecgvision.render.geometry import Geometry, lead_points
from ecgvision.render.grid import empty_page
from ecgvision.render.header import fill
from ecgvision.render.style import Rgb, Style

KIT = Style()
"""The style of ecg-image-kit's default page."""

_scratch: Any = threading.local()


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawn page.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 coverage of the leads' traces (255 where fully covered; without pulse,
            separators and text), or None if not requested.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    _make_geometry: Callable[[], Geometry] = field(repr=False)

    @cached_property
    def geometry(self) -> Geometry:
        """Geometry of the page, computed on first access."""
        return self._make_geometry()


def draw(
    signal: NDArray[np.float32],
    rate: float,
    page: Page,
    style: Style = KIT,
    *,
    seed: int = 0,
    header: Sequence[str] = (),
    mask: bool = False,
    points: bool = True,
) -> Drawing:
    """Draw the page of one recording.

    Args:
        signal: (12, T) in mV, leads in the order of `LEADS`; NaN leaves a gap. Time starts at the
            first sample: for a later window pass a slice. A signal shorter than the page is drawn
            as far as it goes.
        rate: Hz.
        seed: determines the random parts of the style (a grey of ink, an invented header).
        header: lines of text for the top of the page; tabs divide a line into columns.
        mask: also return the coverage of the traces.
        points: keep the pixel of every sample in the geometry.

    Raises:
        RecordError: if the signal does not have shape (12, T) or the rate is not positive.
    """
    if signal.ndim != 2 or signal.shape[0] != len(LEADS) or signal.shape[1] < 1:
        raise RecordError("signal must have shape (12, T)", value=signal.shape)
    if not (np.isfinite(rate) and rate > 0):
        raise RecordError("rate must be a positive number of Hz", value=rate)
    ink, lines, invented = _chances(style, seed, header)
    colour = np.array(ink, np.uint8)
    height, width = page.size
    flat = _borrow(height * width)
    coverage = flat[: height * width].reshape(height, width)

    joined, bounds = lead_points(signal, rate, page)
    half = style.trace_pt * page.dpi / 144
    for first, last in itertools.pairwise(bounds):
        kernels.stroke(joined, half, first, last, coverage)
    traces = coverage.copy() if mask else None

    templates, which = empty_page(page, style)
    image = np.empty((height, width, 3), np.uint8)
    np.take(templates, which, axis=0, out=image, mode="clip")  # other modes copy `out` first
    kernels.blend(flat, colour, image.reshape(-1, 3), True)
    _scratch.store = flat
    words = np.array(style.text_rgb, np.uint8)
    for part in page_annotations.bars(page, style, rate):
        kernels.stamp(part.coverage, part.top, part.left, colour, image)
    texts = page_annotations.labels(page, style) + page_annotations.header(
        page, style, lines, invented=invented
    )
    for part in texts:
        kernels.stamp(part.coverage, part.top, part.left, words, image)
    make = partial(Geometry.of, page, rate, joined, bounds, texts, keep_points=points)
    return Drawing(image, traces, make)


def _borrow(pixels: int) -> NDArray[np.uint8]:
    """Return a blank map of at least `pixels` pixels; `blend` wipes it after use.

    Its size is a multiple of 8. Allocating memory costs more than drawing the ink. Each thread
    keeps one map. It is stored again only when it is blank, so that an interrupted drawing leaves
    no ink to the next.
    """
    store = getattr(_scratch, "store", None)
    _scratch.store = None
    need = -(-pixels // 8) * 8
    if store is None or store.size != need:
        store = np.zeros(need, np.uint8)
    return store


def _chances(style: Style, seed: int, header: Sequence[str]) -> tuple[Rgb, Sequence[str], bool]:
    """Return the random choices: ink colour, header lines, and whether they are invented."""
    rng = np.random.default_rng(seed)
    grey = int(rng.uniform(0, 0.2) * 255)
    ink = style.ink if style.ink is not None else (grey, grey, grey)
    if header or style.header == "given":
        return ink, header, False
    return ink, fill(style.header_lines, rng), True
