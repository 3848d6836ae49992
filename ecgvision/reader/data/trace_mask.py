"""Target of the ink map: pixels on which a trace was drawn, and the 0 mV line of each."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX
from ecgvision.core.page import Page
from ecgvision.data.network_input import placement
from ecgvision.reader.data.places import network_fractions
from ecgvision.render.artefacts import Warp

FRACTION = 4
"""Fractional bits of the coordinates of lines; OpenCV's `shift`."""


def trace_mask(
    page: Page, signal: NDArray[np.float32], rate: float, warp: Warp, size: Sequence[int],
) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:  # fmt: skip
    """Draw every trace of a page as a line one pixel wide, in every cell where it is printed.

    Args:
        signal: (12, T) mV at `rate` Hz, NaN where nothing is drawn.
        warp: from the page to the image.
        size: [height, width] of the network.

    Returns:
        (H, W) uint8, 255 on a line; and (H / 2, W / 2) float16, the distance from each cell of 2 x
        2 pixels down to the 0 mV line of its trace as a fraction of the height, NaN where there is
        no trace.
    """
    height, width = int(size[0]), int(size[1])
    mask = np.zeros((height, width), np.uint8)
    inner = placement(warp.size, size)  # traces are clipped to the image
    corner = np.array([inner.left, inner.top])
    below = np.full((height // 2, width // 2), np.nan, np.float16)
    for cell in page.cells:
        span = page.samples(cell, signal.shape[1], rate)
        values = signal[LEAD_INDEX[cell.lead], span]
        seconds = np.arange(span.start, span.stop) / rate
        lines = []
        for mv in (values, np.zeros_like(values)):
            points = np.stack(page.to_pixel(cell, seconds, mv), axis=-1)
            lines.append(network_fractions(warp(points), warp.size, size) * (width, height))
        drawn = np.zeros_like(mask)
        shown = drawn[inner.top : inner.top + inner.height, inner.left : inner.left + inner.width]
        for run in _runs(np.isfinite(lines[0]).all(1)):
            fine = np.round((lines[0][run] - corner - 0.5) * 2**FRACTION).astype(np.int32)
            cv2.polylines(shown, [fine], False, 255, 1, cv2.LINE_AA, FRACTION)
        inked = np.flatnonzero(drawn.any(1))
        if not len(inked):
            continue
        band = slice(inked[0], inked[-1] + 1)  # for speed: a tenth of the page
        np.maximum(mask[band], drawn[band], out=mask[band])
        y, x = np.nonzero(drawn[: height // 2 * 2, : width // 2 * 2][band] > 127)
        y += band.start
        order = np.argsort(lines[1][:, 0])
        zero = np.interp(x + 0.5, lines[1][order, 0], lines[1][order, 1])
        below[y // 2, x // 2] = (zero - (y // 2 * 2 + 1)) / height
    return mask, below


def _runs(there: NDArray[np.bool_]) -> list[slice]:
    """Return the stretches of True that are longer than one."""
    edges = np.flatnonzero(np.diff(there.astype(np.int8), prepend=0, append=0))
    return [slice(a, b) for a, b in edges.reshape(-1, 2) if b - a > 1]
