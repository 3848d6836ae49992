"""The two inner loops of the renderer, compiled by numba.

Neither is allowed `fastmath`: the same input must give the same bytes on every run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`njit` with the cache on disk where there is a place for it, and without where there is none.

    Numba raises on decoration when neither the package folder nor the user's cache is writable.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


@compiled
def stroke(points: np.ndarray, half: float, first: int, last: int, coverage: np.ndarray) -> None:
    """Draw a polyline's ink into `coverage`, keeping the larger value where it crosses itself.

    The share of a pixel that a long straight stroke covers is the integral of the pixel's shadow
    on the stroke's normal, a trapezoid; near an end the direction to the end takes the place of
    the normal, which rounds joins and ends. A point that is not finite leaves a gap.

    Args:
        points: (N, 2) float64 x, y in pixels; only points[first:last] are drawn.
        half: half the width of the stroke in pixels.
        coverage: (H, W) uint8, 255 where wholly covered; changed in place.
    """
    height, width = coverage.shape
    for i in range(first, last - 1):
        x0, y0, x1, y1 = points[i, 0], points[i, 1], points[i + 1, 0], points[i + 1, 1]
        if not (np.isfinite(x0) and np.isfinite(y0) and np.isfinite(x1) and np.isfinite(y1)):
            continue
        dx, dy = x1 - x0, y1 - y0
        length = np.sqrt(dx * dx + dy * dy)
        ux, uy = (dx / length, dy / length) if length > 1e-9 else (1.0, 0.0)
        reach = half + 0.70711  # beyond it even a pixel's corner stays white
        top = max(0, int(np.floor(max(min(y0, y1) - reach, -1.0))))
        bottom = min(height - 1, int(np.floor(min(max(y0, y1) + reach, height + 1.0))))
        left = max(0, int(np.floor(max(min(x0, x1) - reach, -1.0))))
        right = min(width - 1, int(np.floor(min(max(x0, x1) + reach, width + 1.0))))
        body_p = 0.5 * (abs(ux) + abs(uy))
        body_q = 0.5 * abs(abs(ux) - abs(uy))
        steep = abs(uy) > 0.1
        for row in range(top, bottom + 1):
            py = row + 0.5 - y0
            a, b = left, right
            if steep:  # only the pixels of this row that the stroke can touch
                middle = x0 + py * (ux / uy)
                spread = reach / abs(uy)
                a = max(a, int(np.floor(max(middle - spread, -1.0))))
                b = min(b, int(np.floor(min(middle + spread, width + 1.0))))
            for column in range(a, b + 1):
                px = column + 0.5 - x0
                along = px * ux + py * uy
                if 0.0 <= along <= length:
                    distance = abs(px * uy - py * ux)
                    p, q = body_p, body_q
                else:
                    ex, ey = (px, py) if along < 0.0 else (px - dx, py - dy)
                    distance = np.sqrt(ex * ex + ey * ey)
                    if distance > reach:
                        continue
                    if distance > 1e-6:
                        p = 0.5 * (abs(ex) + abs(ey)) / distance
                        q = 0.5 * abs(abs(ex) - abs(ey)) / distance
                    else:
                        p, q = body_p, body_q
                if distance >= half + p:
                    continue
                # integral of the trapezoid (flat to q, zero from p) from distance - half to + half
                share = 0.0
                for sign in (1.0, -1.0):
                    u = distance + sign * half
                    if u >= p:
                        f = 1.0
                    elif u <= -p:
                        f = 0.0
                    elif u > q:
                        f = 1.0 - (p - u) * (p - u) / (2.0 * (p - q) * (p + q))
                    elif u < -q:
                        f = (p + u) * (p + u) / (2.0 * (p - q) * (p + q))
                    else:
                        f = 0.5 + u / (p + q)
                    share += sign * f
                value = np.uint8(share * 255.0 + 0.5)
                if value > coverage[row, column]:
                    coverage[row, column] = value


@compiled
def compose(
    templates: np.ndarray,
    which: np.ndarray,
    coverage: np.ndarray,
    ink: np.ndarray,
    image: np.ndarray,
    wipe: bool,
) -> None:
    """Lay ink over a page whose rows repeat: image = paper * (1 - coverage) + ink * coverage.

    Args:
        templates: (K, W, 3) uint8, the distinct rows of the empty page.
        which: (H,) int64, the template of every row.
        coverage: (H, W) uint8; set back to zero where `wipe`, so that it can serve again.
        ink: (3,) uint8.
        image: (H, W, 3) uint8, written whole.
    """
    height, width = coverage.shape
    r, g, b = np.int64(ink[0]), np.int64(ink[1]), np.int64(ink[2])
    for row in range(height):
        image[row] = templates[which[row]]
        for column in range(width):
            c = np.int64(coverage[row, column])
            if c:
                keep = 255 - c
                image[row, column, 0] = (image[row, column, 0] * keep + r * c + 127) // 255
                image[row, column, 1] = (image[row, column, 1] * keep + g * c + 127) // 255
                image[row, column, 2] = (image[row, column, 2] * keep + b * c + 127) // 255
                if wipe:
                    coverage[row, column] = 0


@compiled
def stamp(coverage: np.ndarray, top: int, left: int, ink: np.ndarray, image: np.ndarray) -> None:
    """Lay a small coverage map in `ink` over `image` at (top, left); what sticks out is cut off."""
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
