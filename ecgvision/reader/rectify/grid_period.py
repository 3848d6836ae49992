"""Where the paper's grid is visible, how wide its squares are there and how they are turned.

The picture is cut into tiles. The direction of a tile's lines is that of its gradients, modulo a
quarter turn. The tile is turned upright and averaged along both axes; the period of its lines is
the one whose harmonics are strongest in both averages. Our own design.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

TILE = 224
"""Side of a tile in pixels; our default: five squares of 45 pixels."""

PERIODS = np.exp(np.arange(math.log(4.5), math.log(100), 0.02))
"""Periods searched, in pixels."""

HARMONICS = 5
HIGHEST = 0.42
"""Number of harmonics of a period that count, and the highest frequency in cycles per pixel."""

RIVALS = 8
"""Number of periods that are handed on, those with the most votes of all tiles."""

NEAR = 6
"""Periods within this many steps of a rival belong to it."""

FEWEST_VOTES = 0.02
"""Share of the winner's votes below which a period is no rival."""


class Seed(NamedTuple):
    """A place from where a lattice can be grown.

    Attributes:
        x, y: middle of the tile in pixels.
        angle: direction of the lines that run across, in radians, within an eighth of a turn.
        period: side of a square in pixels.
    """

    x: float
    y: float
    angle: float
    period: float


def find_seeds(contrast: NDArray[np.float32]) -> list[Seed]:
    """Return places where lines repeat, best period first, two places for each period.

    Args:
        contrast: (H, W), see `line_contrast`.
    """
    side = min(TILE, min(contrast.shape) // 2 * 2)
    if not side:
        return []
    spots, strength = _tiles(contrast, side)
    shape = np.hanning(9)
    excess = np.maximum(strength - np.median(strength, axis=1, keepdims=True), 0) ** 2
    votes = np.convolve(excess.sum(0), shape / shape.sum(), "same")
    most, seeds, steps = votes.max(), list[Seed](), np.arange(len(votes))
    for _ in range(RIVALS):
        middle = int(votes.argmax())
        if votes[middle] <= FEWEST_VOTES * most:
            break
        near = np.abs(steps - middle) <= NEAR
        votes[near] = 0
        of_rival = np.where(near, strength, 0)
        for tile in np.argsort(-of_rival.max(1))[:2]:
            x, y, angle = spots[tile]
            seeds.append(Seed(x, y, angle, float(PERIODS[of_rival[tile].argmax()])))
    return seeds


def _tiles(
    contrast: NDArray[np.float32], side: int
) -> tuple[list[tuple[float, float, float]], NDArray[np.float64]]:
    """Return (x, y, angle) of every tile, and (tiles, periods) the strength of each period."""
    turns = _fourfold(contrast)
    window = np.hanning(side)
    waves, counted = _waves(side, window)
    starts = [np.unique(np.linspace(0, n - side, max(2 * n // side, 1)).astype(int))
              for n in contrast.shape]  # fmt: skip
    spots, strength = [], []
    middle = (side - 1) / 2
    for y in starts[0]:
        for x in starts[1]:
            mean = turns[y : y + side, x : x + side].mean((0, 1))
            angle = math.atan2(mean[1], mean[0]) / 4
            c, s = math.cos(angle), math.sin(angle)
            at = (x + middle, y + middle)
            matrix = np.array([[c, -s, at[0] - (c - s) * middle], [s, c, at[1] - (s + c) * middle]])
            upright = cv2.warpAffine(contrast, matrix, (side, side), borderMode=cv2.BORDER_REFLECT,
                                     flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)  # fmt: skip
            profiles = (window @ upright / side, upright @ window / side)
            both = [_comb(profile - profile.mean(), waves, counted, window) for profile in profiles]
            spots.append((*at, angle))
            strength.append(np.sqrt(both[0] * both[1]))
    return spots, np.array(strength)


def _fourfold(contrast: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (H, W, 2): the gradient's direction times four, weighted by its length.

    Lines at right angles give the same value, so that both families of a grid add up.
    """
    across = cv2.Sobel(contrast, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(contrast, cv2.CV_32F, 0, 1)
    square = across * across + down * down + 1e-6
    real, imaginary = across * across - down * down, 2 * across * down  # the double angle
    weight = square**1.5
    return np.stack([(real * real - imaginary * imaginary) / weight,
                     2 * real * imaginary / weight], axis=-1)  # fmt: skip


def _waves(
    side: int, window: NDArray[np.float64]
) -> tuple[NDArray[np.complex128], NDArray[np.bool_]]:
    """Return windowed waves (periods, harmonics, side), and which of them are not too fine."""
    places = np.arange(side) - (side - 1) / 2
    frequency = np.arange(1, HARMONICS + 1) / PERIODS[:, None]
    return np.exp(-2j * np.pi * frequency[:, :, None] * places) * window, frequency < HIGHEST


def _comb(
    profile: NDArray[np.float64],
    waves: NDArray[np.complex128],
    counted: NDArray[np.bool_],
    window: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the mean strength of each period's harmonics relative to the profile's size."""
    size = math.sqrt(float(np.square(profile * window).sum()) * len(profile)) + 1e-6
    strength = np.where(counted, np.abs(waves @ profile) / size, 0).sum(1)
    return np.asarray(strength / np.maximum(counted.sum(1), 3))
