"""Wear of paper: folds, crumples, curls, stains and holes.

Folds, crumples and curls both bend the page and shade it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.render.artefacts.parts import (
    CELL_PX,
    Draw,
    Field,
    Image,
    Shape,
    axes,
    clouds,
    coarse,
    coloured,
)
from ecgvision.render.artefacts.warp import Bend, Points, Size


@dataclass(frozen=True, eq=False)
class Creases:
    """Displacement by folds.

    Each fold has a point on it, its unit normal, and in pixels the size of the pull towards it and
    of the slip along it. `reach` is their extent in pixels.
    """

    at: NDArray[np.float64]  # (K, 2)
    normal: NDArray[np.float64]  # (K, 2)
    pull: NDArray[np.float64]  # (K,)
    slip: NDArray[np.float64]  # (K,)
    reach: float

    def __call__(self, points: Points) -> Points:
        out = np.zeros_like(points)
        for at, normal, pull, slip in zip(self.at, self.normal, self.pull, self.slip, strict=True):
            t = (points - at) @ normal / self.reach
            near = np.exp(-0.5 * t * t)
            along = np.array([-normal[1], normal[0]])
            out += (pull * t * near)[:, None] * normal + (slip * near)[:, None] * along
        return out


def fold(size: Size, draw: Draw) -> Shape:
    """Fold the page in half or as a letter, at up to three lines, and unfold it.

    Shifts reach 1.2 mm, shades a quarter (our defaults).
    """
    height, width = size
    upright = bool(draw.rng.integers(2))
    places = ((0.5,), (1 / 3, 2 / 3))[int(draw.rng.integers(2))]
    lines = [(upright, place) for place in places]
    if draw.rng.random() < 0.4:
        lines.append((not upright, 0.5))
    at, normals = [], []
    for vertical, place in lines:
        angle = draw.between(-0.02, 0.02) + (0.0 if vertical else np.pi / 2)
        place += draw.between(-0.02, 0.02)
        at.append((width * place, height / 2) if vertical else (width / 2, height * place))
        normals.append((np.cos(angle), np.sin(angle)))
    k = len(lines)
    reach = max(draw.mm(9.0), 4.0)
    most = min(draw.mm(1.2), reach / 4) * draw.strength  # a contraction at any resolution
    creases = Creases(
        np.array(at),
        np.array(normals),
        most * draw.rng.uniform(0.4, 1.0, k),
        most * draw.rng.uniform(-0.5, 0.5, k),
        reach,
    )
    sides = draw.rng.choice([-1.0, 1.0], k) * draw.rng.uniform(0.5, 1.0, k)
    return Shape((Bend(creases),), tint=_fold_shade(size, creases, sides, draw))


def _fold_shade(size: Size, creases: Creases, sides: NDArray[np.float64], draw: Draw) -> Field:
    """Shade folds: one side is lighter than the other, and the line itself is dark."""
    x, y = axes(size)
    gain = np.zeros(coarse(size), np.float32)
    wide, thin = draw.mm(18.0), max(draw.mm(0.5), 0.6 * CELL_PX)
    for at, normal, side in zip(creases.at, creases.normal, sides, strict=True):
        t = ((x - at[0]) * normal[0] + (y - at[1]) * normal[1]).astype(np.float32)
        gain += np.float32(0.16 * side) * np.tanh(t / thin) * np.exp(-np.abs(t) / wide)
        gain -= np.float32(0.18) * np.exp(-0.5 * (t / thin) ** 2)
    gain = np.where(gain > 0, np.float32(0.35) * gain, gain)  # white paper cannot get much lighter
    return coloured(np.float32(draw.strength) * gain)


@dataclass(frozen=True, eq=False)
class Waves:
    """Displacement by a few plane waves.

    The waves have (K, 2) wave vectors in radians per pixel, (K,) phases and (K, 2) amplitudes in
    pixels.
    """

    vectors: NDArray[np.float64]
    phases: NDArray[np.float64]
    amplitudes: NDArray[np.float64]

    def __call__(self, points: Points) -> Points:
        return np.asarray(np.sin(points @ self.vectors.T + self.phases) @ self.amplitudes)


def crumple(size: Size, draw: Draw) -> Shape:
    """Crumple the page and smooth it out: facets of different brightness, and ripples.

    Waves of 4 to 12 cm shift points by up to about 1.5 mm. Facets are lighter or darker by up to a
    fifth (our defaults).
    """
    k = 6
    angle, length = draw.rng.uniform(0, np.pi, k), draw.mm(1.0) * draw.rng.uniform(40, 120, k)
    vectors = (2 * np.pi / length)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    amplitudes = draw.rng.uniform(-1, 1, (k, 2)) * (draw.mm(0.45) * draw.strength)
    waves = Waves(vectors, draw.rng.uniform(0, 2 * np.pi, k), amplitudes)
    return Shape((Bend(waves),), tint=_facets(size, draw))


def _facets(size: Size, draw: Draw) -> Field:
    """Shade nearest-seed cells of two sizes, each a plane of its own slope, with creases."""
    h, w = coarse(size)
    gain = np.zeros((h, w), np.float32)
    for mm, share in ((45.0, 0.6), (18.0, 0.4)):
        side = max(draw.mm(mm) / CELL_PX, 3.0)
        count = int(np.clip(h * w / side**2, 3, 2000))
        x, y = draw.rng.uniform(0, w, count), draw.rng.uniform(0, h, count)
        seeds = np.full((h, w), 255, np.uint8)
        seeds[y.astype(int), x.astype(int)] = 0
        _, which = cv2.distanceTransformWithLabels(
            seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        which = np.asarray(which)
        slopes = draw.rng.uniform(-1, 1, (3, which.max() + 1)).astype(np.float32)
        centre = np.zeros((2, which.max() + 1), np.float32)
        rows, columns = np.nonzero(seeds == 0)
        centre[:, which[rows, columns]] = rows, columns
        up = (np.arange(h, dtype=np.float32)[:, None] - centre[0, which]) / np.float32(side)
        right = (np.arange(w, dtype=np.float32)[None] - centre[1, which]) / np.float32(side)
        slope = 1.3 * (slopes[0, which] * up + slopes[1, which] * right) + 0.3 * slopes[2, which]
        gain += np.float32(share) * np.clip(slope, -1, 1)
    gain = np.asarray(cv2.GaussianBlur(gain, (0, 0), 0.6), np.float32)
    soft = cv2.GaussianBlur(gain, (0, 0), max(draw.mm(2.0) / CELL_PX, 0.8))
    gain = gain + np.float32(1.6) * (gain - soft)  # brighter along the creases
    return coloured(np.float32(0.3 * draw.strength) * gain - np.float32(0.13 * draw.strength))


def curl(size: Size, draw: Draw) -> Shape:
    """Bend a sheet that was rolled up, by up to 4 mm across its width or height."""
    height, width = size
    upright = bool(draw.rng.integers(2))
    span = float(height if upright else width)
    vector = np.array([[0.0, np.pi / span] if upright else [np.pi / span, 0.0]])
    most = min(draw.mm(4.0), span / 12) * draw.strength * draw.between(0.5, 1.0) * draw.sign()
    amplitude = np.array([[most, 0.0] if upright else [0.0, most]])
    x, y = axes(size)
    t = (y / height if upright else x / width) - np.float32(draw.between(0.3, 0.7))
    shade = np.broadcast_to(np.float32(-0.35 * draw.strength) * t * t, coarse(size))
    waves = Waves(vector, np.zeros(1), amplitude)
    return Shape((Bend(waves),), tint=coloured(np.asarray(shade, np.float32)))


def stain(size: Size, draw: Draw) -> Field:
    """Rings of coffee and pale patches of spilt liquid."""
    x, y = axes(size)
    height, width = size
    gain = np.ones((*coarse(size), 3), np.float32)
    rough = clouds(draw.rng, coarse(size), (7, 9))
    for _ in range(1 + round(2 * draw.strength)):
        cx, cy = draw.between(0, width), draw.between(0, height)
        radius = max(draw.mm(draw.between(12, 40)), 3.0)
        far = np.sqrt((x - cx) ** 2 + (y - cy) ** 2) / np.float32(radius)
        hollow = draw.rng.random() < 0.6
        far = far * (1 + np.float32(0.04 if hollow else 0.22) * rough)
        inside = 1 / (1 + np.exp(np.clip((far - 1) * 30, -30, 30)))
        ring = np.exp(-0.5 * ((far - 1) / 0.05) ** 2) * (0.7 + 0.3 * np.clip(rough, -1, 1))
        depth = (0.12 if hollow else 0.3) * inside + (0.5 if hollow else 0.2) * ring
        tone = np.array((0.35, 0.6, 1.0), np.float32)  # coffee and tea absorb blue
        gain *= 1 - np.float32(draw.strength) * depth[..., None] * tone
    return gain


def staple(image: Image, draw: Draw) -> None:
    """Draw a staple of 12 mm with its shadow, near one of the upper corners.

    The strength makes it thicker.
    """
    width = image.shape[1]
    length, thick = draw.mm(12.0), max(1, round(draw.mm(0.4 + 0.4 * draw.strength)))
    x = draw.mm(draw.between(8, 16))
    x = x if draw.rng.random() < 0.7 else width - x
    y, angle = draw.mm(draw.between(6, 12)), draw.between(-0.8, 0.8)
    dx, dy = np.cos(angle) * length / 2, np.sin(angle) * length / 2
    over = image.copy()
    for off, rgb in ((thick, (150, 150, 150)), (0, (95, 98, 104))):
        a, b = (round(x - dx), round(y - dy + off)), (round(x + dx), round(y + dy + off))
        cv2.line(over, a, b, rgb, thick, cv2.LINE_AA)
    _lay_solid(image, over, draw)


def punch_hole(image: Image, draw: Draw) -> None:
    """Draw two holes of 6 mm, 80 mm apart and 12 mm from an edge (ISO 838).

    The background shows through them. The strength makes them a little larger.
    """
    height, width = image.shape[:2]
    edge, half = draw.mm(12.0), draw.mm(40.0)
    if draw.rng.random() < 0.5:
        side = edge if draw.rng.random() < 0.7 else width - edge
        holes = [(side, height / 2 - half), (side, height / 2 + half)]
    else:
        holes = [(width / 2 - half, edge), (width / 2 + half, edge)]
    shade = int(draw.rng.choice([25, 60, 225]))
    radius = round(16 * max(draw.mm(2.7 + 0.6 * draw.strength), 1.0))  # in sixteenths
    over = image.copy()
    for x, y in holes:
        centre = round(16 * x), round(16 * y)
        cv2.circle(over, centre, radius, (shade, shade, shade), -1, cv2.LINE_AA, 4)
        cv2.circle(over, centre, radius, (140, 140, 140), max(1, radius // 80), cv2.LINE_AA, 4)
    _lay_solid(image, over, draw)


def _lay_solid(image: Image, over: Image, draw: Draw) -> None:
    """Blend in an opaque object: fully from a quarter of the strength on, faintly below."""
    share = min(1.0, 4 * draw.strength)
    cv2.addWeighted(over, share, image, 1 - share, 0, dst=image)
