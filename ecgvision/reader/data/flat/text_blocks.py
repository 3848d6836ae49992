"""Lines of text and ruled boxes on pages, which are neither names of leads nor traces."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.page import MM_PER_INCH
from ecgvision.render.text import FACES, pieces

TEXT, BOX = 0.45, 0.25
"""Shares of crops with blocks of text, and with a ruled box or line; our defaults."""

UPRIGHT = 0.1
"""Share of the blocks that are printed at a right angle."""

POINTS = (6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 16.0)

PHRASES = (
    "Name:", "ID:", "Patient", "Date of birth", "Male", "Female", "years", "Vent. rate", "bpm",
    "PR interval", "QRS duration", "QT/QTc", "P-R-T axes", "ms", "Sinus rhythm", "Normal ECG",
    "Unconfirmed", "Referred by", "Technician", "Room", "Speed:", "mm/s", "Limb", "Chest", "mm/mV",
    "Filter", "Hz", "Standard", "Department of Cardiology", "Report", "Page", "of", "HR", "deg",
    "otherwise normal", "reviewed", "Comments", "Medication", "Height", "cm", "Weight", "kg",
    "Interpretation", "10 s", "F 60~", "0.5-40", "axis", "RR", "P", "QRS", "T", "Sokolow", "index",
)  # fmt: skip
"""Words of reports and devices; none of them tells a diagnosis that training would see."""

Image = NDArray[np.uint8]


def add_print(rng: np.random.Generator, image: Image, px_per_mm: float) -> Image:
    """Print blocks of text, boxes and lines on a page; the names and traces stay where they are.

    Args:
        image: (H, W, 3) uint8; unchanged.
        px_per_mm: resolution.
    """
    kinds: tuple[tuple[float, int, Callable[..., None]], ...] = (
        (TEXT, 3, _block), (BOX, 2, _box))  # fmt: skip
    chosen = [(most, add) for share, most, add in kinds if rng.random() < share]
    out = image.copy() if chosen else image
    for most, add in chosen:
        for _ in range(int(rng.integers(1, most + 1))):
            add(rng, out, px_per_mm)
    return out


def _block(rng: np.random.Generator, image: Image, px_per_mm: float) -> None:
    """One to nine lines, ranged left, darker or lighter, from a random place on."""
    points, font = float(rng.choice(POINTS)), str(rng.choice(list(FACES)))
    high = points / 72 * MM_PER_INCH * px_per_mm * rng.uniform(1.1, 1.8)
    page = np.rot90(image) if rng.random() < UPRIGHT else image
    height, width = page.shape[:2]
    top, left = rng.uniform(-high, height), rng.uniform(-width / 4, width)
    ink = rng.uniform(0, 150, 3) if rng.random() < 0.3 else np.full(3, rng.uniform(0, 120))
    for line in range(int(rng.integers(1, 10))):
        for cover, below, right in pieces(_line(rng), points, px_per_mm * MM_PER_INCH, font):
            _lay(page, cover, round(top + line * high) + below, round(left) + right, ink)


def _line(rng: np.random.Generator) -> str:
    parts = []
    for _ in range(int(rng.integers(1, 6))):
        number = int(rng.integers(10 ** int(rng.integers(1, 6))))
        parts.append(str(number) if rng.random() < 0.4 else str(rng.choice(PHRASES)))
    return " ".join(parts)


def _lay(page: Image, cover: Image, top: int, left: int, ink: NDArray[np.float64]) -> None:
    height, width = page.shape[:2]
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + cover.shape[0], height), min(left + cover.shape[1], width)
    if y0 >= y1 or x0 >= x1:
        return
    share = cover[y0 - top : y1 - top, x0 - left : x1 - left, None] / 255
    under = page[y0:y1, x0:x1]
    page[y0:y1, x0:x1] = (under + (ink - under) * share).astype(np.uint8)


def _box(rng: np.random.Generator, image: Image, px_per_mm: float) -> None:
    """A rectangle, or one side of it."""
    height, width = image.shape[:2]
    size = rng.uniform(5, 120, 2) * px_per_mm
    x, y = (int(v) for v in rng.uniform(-20 * px_per_mm, [width, height]))
    right, bottom = x + int(size[0]), y + int(size[1])
    colour = [float(rng.uniform(0, 160))] * 3
    thick = max(1, round(px_per_mm * rng.uniform(0.1, 0.5)))
    kind = rng.random()
    if kind < 0.5:
        cv2.rectangle(image, (x, y), (right, bottom), colour, thick, cv2.LINE_AA)
    else:
        end = (x, bottom) if kind < 0.75 else (right, y)
        cv2.line(image, (x, y), end, colour, thick, cv2.LINE_AA)
