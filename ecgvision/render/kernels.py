"""Inner loops of the renderer, compiled by numba.

None may use `fastmath`: the same input must give the same bytes on every run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

MERGE_PX = 1 / 9  # samples closer than this to the current line join it, as in matplotlib


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Apply `njit` with an on-disk cache, or without a cache if it cannot be written.

    Numba raises on decoration if neither the package folder nor the user's cache is writable.
    """
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)


@compiled
def stroke(points: np.ndarray, half: float, first: int, last: int, coverage: np.ndarray) -> None:
    """Draw a polyline's ink into `coverage`.

    Where strokes meet in a pixel, the next stroke covers its own share of what the first leaves
    white. Agg adds areas up. On dense noisy traces, this came closer to Agg than the maximum of the
    shares (too light) or their sum (too dark).

    A non-finite point leaves a gap; a finite point between two gaps leaves no ink. Dense samples
    are merged into longer segments where they are within `MERGE_PX` of a line.

    Args:
        points: (N, 2) float64 x, y in pixels; only points[first:last] are drawn.
        half: half the width of the stroke in pixels.
        coverage: (H, W) uint8, 255 where fully covered; modified in place.
    """
    # A segment is drawn when the next one is known. Its end is rounded only where the next one does
    # not cover, so that every pixel depends on the nearest part of the line.
    waiting = False
    joined = False  # the waiting segment starts where another ended
    ax = ay = bx = by = 0.0
    i = first
    while i < last - 1:
        x0, y0, x1, y1 = points[i, 0], points[i, 1], points[i + 1, 0], points[i + 1, 1]
        if not (np.isfinite(x0) and np.isfinite(y0) and np.isfinite(x1) and np.isfinite(y1)):
            if waiting:
                _segment(ax, ay, bx, by, ax - bx, ay - by, half, not joined, coverage)
            waiting = joined = False
            i += 1
            continue
        length = np.sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0))
        ux, uy = ((x1 - x0) / length, (y1 - y0) / length) if length > 1e-9 else (1.0, 0.0)
        j, reached = i + 1, length
        while j + 1 < last:
            px, py = points[j + 1, 0] - x0, points[j + 1, 1] - y0
            along = px * ux + py * uy
            if not (along >= reached and abs(px * uy - py * ux) <= MERGE_PX):  # also true for NaN
                break
            j, reached = j + 1, along
        x1, y1 = points[j, 0], points[j, 1]
        if waiting:
            _segment(ax, ay, bx, by, x1 - x0, y1 - y0, half, not joined, coverage)
            joined = True
        ax, ay, bx, by = x0, y0, x1, y1
        waiting = True
        i = j
    if waiting:
        _segment(ax, ay, bx, by, ax - bx, ay - by, half, not joined, coverage)


@compiled
def _segment(
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    nx: float,
    ny: float,
    half: float,
    cap: bool,
    coverage: np.ndarray,
) -> None:
    """Draw one straight stroke with a round end, and a round start if `cap`.

    (nx, ny) is the direction in which the line continues. Pixels beyond the end in that direction
    are left to the next segment.

    The share of a pixel that a long straight stroke covers is the integral of the pixel's
    projection onto the stroke's normal. The projection is a trapezoid: flat up to q from the middle
    and zero from p.
    """
    height, width = coverage.shape
    dx, dy = x1 - x0, y1 - y0
    length = np.sqrt(dx * dx + dy * dy)
    ux, uy = (dx / length, dy / length) if length > 1e-9 else (1.0, 0.0)
    p = 0.5 * (abs(ux) + abs(uy))
    q = 0.5 * abs(abs(ux) - abs(uy))
    ramp = 0.5 / ((p - q) * (p + q)) if p - q > 1e-9 else 0.0
    slope = 1.0 / (p + q)
    reach = half + p
    solid = half - p  # closer than this, a pixel is fully covered
    # Affected pixels are in a box along the stroke: from `begin` to `end` along it, `reach` to
    # either side. Beyond the end, only the wedge that a turn leaves open belongs to this segment.
    begin, end = (-reach if cap else 0.0), length + reach
    if ux * nx + uy * ny > 0.0:
        end = length + reach * abs(ux * ny - uy * nx) / np.sqrt(nx * nx + ny * ny)
    # quotients computed before the loop; a component near 0 sets no limit
    tilt, spread = (ux / uy, reach / abs(uy)) if abs(uy) > 1e-3 else (0.0, np.inf)
    lean = uy / ux if abs(ux) > 1e-3 else 0.0
    one, two = (begin / ux, end / ux) if abs(ux) > 1e-3 else (-np.inf, np.inf)
    one, two = min(one, two), max(one, two)
    low, high = y0 + begin * uy, y0 + end * uy
    side = reach * abs(ux)
    # clamped before the conversion: a spike of a million pixels must not overflow an integer
    top = int(np.ceil(max(min(low, high) - side - 0.5, 0.0)))
    bottom = int(np.floor(min(max(low, high) + side - 0.5, height - 1.0)))
    for row in range(top, bottom + 1):
        py = row + 0.5 - y0
        near = max(-1.0 - x0, py * tilt - spread, one - py * lean)
        far = min(width + 1.0 - x0, py * tilt + spread, two - py * lean)
        a = int(np.ceil(max(near + x0 - 0.5, 0.0)))
        b = int(np.floor(min(far + x0 - 0.5, width - 1.0)))
        for column in range(a, b + 1):
            old = coverage[row, column]
            if old == 255:
                continue
            px = column + 0.5 - x0
            along = px * ux + py * uy
            if along < 0.0:
                if not cap:  # the end of the previous segment has rounded this corner
                    continue
                d = np.sqrt(px * px + py * py)
            elif along > length:
                ex, ey = px - dx, py - dy
                if ex * nx + ey * ny > 0.0:
                    continue
                d = np.sqrt(ex * ex + ey * ey)
            else:
                d = abs(px * uy - py * ux)
            if d >= reach:
                continue
            if d <= solid:
                coverage[row, column] = 255
                continue
            share = _shadow(half - d, p, q, ramp, slope)
            if half + d < p:  # the stroke is so thin that its far edge crosses the pixel too
                share -= _shadow(-half - d, p, q, ramp, slope)
            coverage[row, column] = np.uint8(old + (255.0 - old) * share + 0.5)


@compiled
def _shadow(u: float, p: float, q: float, ramp: float, slope: float) -> float:
    """Return the integral of the trapezoid from its left end to u."""
    if u >= p:
        return 1.0
    if u <= -p:
        return 0.0
    if u > q:
        return 1.0 - (p - u) * (p - u) * ramp
    if u < -q:
        return (p + u) * (p + u) * ramp
    return 0.5 + u * slope


@compiled
def blend(coverage: np.ndarray, ink: np.ndarray, image: np.ndarray, wipe: bool) -> None:
    """Blend ink into a page: image = image * (1 - coverage) + ink * coverage.

    Args:
        coverage: (N,) uint8 with N a multiple of 8 and at least H * W; reset to zero if `wipe`, so
            that it can be reused.
        ink: (3,) uint8.
        image: (H * W, 3) uint8, modified in place.
    """
    words = coverage.view(np.uint64)  # eight blank pixels cost one comparison
    r, g, b = np.uint32(ink[0]), np.uint32(ink[1]), np.uint32(ink[2])
    for word in range(words.size):
        if words[word] == 0:
            continue
        for i in range(8 * word, 8 * word + 8):
            c = np.uint32(coverage[i])
            if c:
                keep = np.uint32(255) - c
                image[i, 0] = (image[i, 0] * keep + r * c + np.uint32(127)) // np.uint32(255)
                image[i, 1] = (image[i, 1] * keep + g * c + np.uint32(127)) // np.uint32(255)
                image[i, 2] = (image[i, 2] * keep + b * c + np.uint32(127)) // np.uint32(255)
        if wipe:
            words[word] = 0


@compiled
def stamp(coverage: np.ndarray, top: int, left: int, ink: np.ndarray, image: np.ndarray) -> None:
    """Blend a small coverage map in `ink` into `image` at (top, left), clipped at the edges."""
    for i in range(coverage.shape[0]):
        row = top + i
        if row < 0 or row >= image.shape[0]:
            continue
        for j in range(coverage.shape[1]):
            column = left + j
            c = np.int64(coverage[i, j])
            if c and 0 <= column < image.shape[1]:
                for k in range(3):
                    old = np.int64(image[row, column, k])
                    new = (old * (255 - c) + np.int64(ink[k]) * c + 127) // 255
                    image[row, column, k] = new
