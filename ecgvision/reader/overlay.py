"""Overlay of a reading on the page that it was read from. Imports numpy and OpenCV only."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

COLOURS = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167))
"""RGB colours of Okabe and Ito 2008, by lead number, so that neighbours differ."""

WHITE = (255, 255, 255)

LETTERS = 0.7
"""OpenCV font scale of lead names on a page of width `WIDEST`: 15 pixels high."""

JUMP = 0.04
"""Distance between neighbouring samples, as a share of the width, over which no line is drawn: a
lead goes on elsewhere on the page."""

WIDEST = 1600
"""Width in pixels that small pages are enlarged to, so that a line does not hide the trace."""


def draw_reading(
    image: NDArray[np.uint8], trace: ArrayLike, found: ArrayLike, names: tuple[str, ...] = ()
) -> NDArray[np.uint8]:
    """Draw the trace of each lead that was found over a paled page.

    Args:
        image: (H, W, 3) uint8 RGB.
        trace: (12, T, 2), x and y as fractions of the image.
        found: (12, T) bool; only these samples are drawn.
        names: lead names, written where each lead begins; empty for none.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    factor = max(1, round(WIDEST / image.shape[1]))
    height, width = image.shape[0] * factor, image.shape[1] * factor
    page = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR))
    page = np.asarray(255 - (255 - page.astype(np.float32)) * 0.55).astype(np.uint8)
    points = np.asarray(trace, np.float64) * (width, height)
    shown = np.asarray(found, np.bool_) & np.isfinite(points).all(-1)
    bits = 4  # OpenCV's fixed point: sixteenths of a pixel
    for lead in range(len(points)):
        colour = COLOURS[lead % len(COLOURS)]
        step = np.abs(np.diff(points[lead], axis=0, prepend=points[lead, :1])).max(1)
        apart = step > JUMP * width  # NaN compares as False
        for part in _runs(shown[lead] & ~apart):
            line = np.clip(points[lead, part], -9999, 9999)
            fixed = np.round((line - 0.5) * 2**bits).astype(np.int32)
            cv2.polylines(page, [fixed[:, None]], False, colour, max(1, factor // 2 + 1),
                          cv2.LINE_AA, bits)  # fmt: skip
        first = np.flatnonzero(shown[lead])
        if names and len(first):
            x, y = (int(v) for v in points[lead, first[0]])
            size = width / WIDEST * LETTERS
            place = (x + 2, max(y - round(12 * size), round(24 * size)))
            for ink, more in ((WHITE, 4), (colour, 0)):  # a white rim keeps it legible
                cv2.putText(page, names[lead], place, cv2.FONT_HERSHEY_SIMPLEX, size, ink,
                            max(1, round(2 * size)) + more, cv2.LINE_AA)  # fmt: skip
    return np.asarray(page, np.uint8)


def _runs(shown: NDArray[np.bool_]) -> list[slice]:
    """Return the stretches of True."""
    edge = np.flatnonzero(np.diff(np.concatenate([[0], shown.astype(np.int8), [0]])))
    return [slice(int(a), int(b)) for a, b in zip(edge[::2], edge[1::2], strict=True)]
