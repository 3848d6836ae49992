"""What print, light, cameras, scanners and files do to a flat page, at any resolution.

Lengths are in millimetres of paper, so that crops at different resolutions are worn alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

BENDS_MM = (0.0, 0.04, 0.08, 0.15, 0.25)
"""Sizes of what rectification leaves of folds and bends."""

CLEAN, BLACK_AND_WHITE = 0.12, 0.07
"""Shares of pages without wear, and of pages scanned without grey levels."""

NATIVE = (2.2, 8.5)
"""Resolutions of pictures, in pixels per millimetre of paper, log-uniform."""

LETTERS = list("ABCDEFGHIJKLVRabcdefilmnorstuv0123456789 .:/-")


def smooth_field(
    rng: np.random.Generator, shape: Sequence[int], length: float
) -> NDArray[np.float32]:
    """Return a random field of unit size that changes over `length` pixels."""
    coarse = [max(2, int(n / length) + 2) for n in shape[:2]]
    field = rng.normal(size=coarse).astype(np.float32)
    return np.asarray(cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def bend(
    rng: np.random.Generator, image: NDArray[np.uint8], points: NDArray[np.float64],
    px_per_mm: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:  # fmt: skip
    """Displace a page smoothly by a fraction of a millimetre.

    Args:
        points: (N, 2) x, y of points of the page in pixels; NaN stays.

    Returns:
        The page and its points.
    """
    size = float(rng.choice(BENDS_MM)) * px_per_mm
    if size == 0:
        return image, points
    height, width = image.shape[:2]
    moves = [smooth_field(rng, image.shape, rng.uniform(6, 40) * px_per_mm) * size for _ in "xy"]
    x, y = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (width, height)))
    bent = cv2.remap(image, x + moves[0], y + moves[1], cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    column, row = (np.nan_to_num(points[:, k]).clip(0, n - 1).astype(int)
                   for k, n in enumerate((width, height)))  # fmt: skip
    moved = points - np.stack([move[row, column] for move in moves], axis=-1)
    return np.asarray(bent, np.uint8), moved


def wear(rng: np.random.Generator, image: NDArray[np.uint8], px_per_mm: float) -> NDArray[np.uint8]:
    """Return the page as a picture of it shows it; nothing moves.

    Args:
        image: (H, W, 3) uint8.
    """
    height, width = image.shape[:2]
    if rng.random() < 0.25:
        image = _scribble(rng, image.copy(), px_per_mm)
    page = image.astype(np.float32)
    if rng.random() > CLEAN:
        page = _light(rng, _print(rng, page), px_per_mm)
        if rng.random() < 0.4:
            page = 255 * np.clip(page / 255, 0, 1) ** rng.uniform(0.6, 1.6)
    page = _camera(rng, page, px_per_mm)
    out = np.clip(page, 0, 255).astype(np.uint8)
    if rng.random() < BLACK_AND_WHITE:
        out = _black_and_white(rng, out)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))]
        out = np.asarray(cv2.imdecode(cv2.imencode(".jpg", out, quality)[1], 1), np.uint8)
    if out.shape[:2] != (height, width):
        out = np.asarray(cv2.resize(out, (width, height)), np.uint8)
    return out


def _print(rng: np.random.Generator, page: NDArray[np.float32]) -> NDArray[np.float32]:
    if rng.random() < 0.3:
        grey = page @ np.float32([0.3, 0.59, 0.11])
        page = np.repeat(grey[..., None], 3, axis=2)
    if rng.random() < 0.35:
        page = 255 - (255 - page) * np.float32(rng.uniform(0.35, 1))
    return page


def _light(
    rng: np.random.Generator, page: NDArray[np.float32], px_per_mm: float
) -> NDArray[np.float32]:
    """Uneven light, a tint, and creases whose two sides are lit differently."""
    if rng.random() > 0.6:
        return page
    height, width = page.shape[:2]
    spread = rng.uniform(30, 150) * px_per_mm
    light = 1 + smooth_field(rng, page.shape, spread) * np.float32(rng.uniform(0, 0.18))
    row, column = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(int(rng.integers(0, 5))):
        angle = rng.uniform(0, math.pi)
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        away = ((column - x) * math.cos(angle) + (row - y) * math.sin(angle)) / px_per_mm
        fade = np.exp(-np.maximum(away, 0) / rng.uniform(4, 40))
        light += np.float32(rng.uniform(-0.2, 0.2)) * np.where(away > 0, fade, 0)
        if rng.random() < 0.3:
            sharp = np.exp(-np.square(away / rng.uniform(0.2, 0.6)))
            light -= np.float32(rng.uniform(0, 0.3)) * sharp
    tint = rng.uniform(0.85, 1, 3).astype(np.float32) * np.float32(rng.uniform(0.6, 1))
    return np.asarray(page * light[..., None] * tint, np.float32)


def _camera(
    rng: np.random.Generator, page: NDArray[np.float32], px_per_mm: float
) -> NDArray[np.float32]:
    """Blur, resolution, noise and sharpening."""
    native = math.exp(rng.uniform(*(math.log(end) for end in NATIVE)))
    scale = min(native / px_per_mm, 1.0)
    if rng.random() < 0.5:
        page = cv2.GaussianBlur(page, (0, 0), rng.uniform(0.2, 0.7) / scale * rng.uniform(0.4, 1))
    if scale < 0.95:
        size = [max(1, round(n * scale)) for n in page.shape[1::-1]]
        how = cv2.INTER_AREA if rng.random() < 0.8 else cv2.INTER_LINEAR
        page = cv2.resize(page, size, interpolation=how)
    if rng.random() < 0.6:
        channels = 3 if rng.random() < 0.5 else 1
        page = page + rng.normal(0, rng.uniform(0, 10), (*page.shape[:2], channels))
    if rng.random() < 0.3:
        page = page + (page - cv2.GaussianBlur(page, (0, 0), 1.2)) * rng.uniform(0.3, 1.5)
    return np.asarray(page, np.float32)


def _black_and_white(rng: np.random.Generator, page: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)
    if rng.random() < 0.5:
        grey = np.where(grey > rng.uniform(90, 200), 255, 0).astype(np.uint8)
    else:
        side = 2 * int(rng.integers(5, 25)) + 1
        grey = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY,
                                     side, rng.uniform(4, 20))  # fmt: skip
    return np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)


def _scribble(
    rng: np.random.Generator, page: NDArray[np.uint8], px_per_mm: float
) -> NDArray[np.uint8]:
    """Handwriting and words that are no name of a lead."""
    size = np.array(page.shape[1::-1])
    for _ in range(int(rng.integers(1, 4))):
        count = int(rng.integers(3, 40))
        steps = rng.normal(0, px_per_mm * rng.uniform(0.5, 3), (count, 2))
        line = np.cumsum(steps, axis=0) + rng.uniform(0, 1, 2) * size
        line[:, 0] += np.linspace(0, rng.uniform(0, 40) * px_per_mm, count)
        cv2.polylines(page, [line.astype(np.int32)], False, rng.uniform(0, 110, 3).tolist(),
                      int(rng.integers(1, 1 + max(2, px_per_mm // 2))), cv2.LINE_AA)  # fmt: skip
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 6))):
            word = "".join(rng.choice(LETTERS, int(rng.integers(1, 14))))
            place = [int(v) for v in rng.uniform(0, 1, 2) * size]
            cv2.putText(page, word, place, int(rng.integers(8)), rng.uniform(0.3, 1.3)
                        * px_per_mm / 8, rng.uniform(0, 140, 3).tolist(),
                        int(rng.integers(1, 3)), cv2.LINE_AA)  # fmt: skip
    return page
