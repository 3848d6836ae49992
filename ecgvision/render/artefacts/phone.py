"""Artefacts of a hand-held photograph: position of the phone, light, and sensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.render.artefacts.bands import BAND_PX
from ecgvision.render.artefacts.parts import Draw, Field, Image, Shape, axes, coloured
from ecgvision.render.artefacts.scanner import about
from ecgvision.render.artefacts.warp import Bend, Points, Projective, Size


def table(size: Size, draw: Draw) -> Shape:
    """Photograph the page on a table: up to a fifth smaller, rotated by up to 6 degrees."""
    matrix = about(size, draw.sign() * draw.between(0.2, 1.0) * 6 * draw.strength)
    return Shape((Projective(_within(matrix, size, draw)),), backdrop=_backdrop(draw))


def perspective(size: Size, draw: Draw) -> Shape:
    """Photograph the page on a table with a tilted phone.

    Each corner is displaced by up to a twelfth of the page.
    """
    height, width = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    moved = corners + draw.rng.uniform(-1, 1, (4, 2)) * np.array([width, height]) * (
        draw.strength / 12
    )
    aslant = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
    turn = about(size, draw.between(-3, 3) * draw.strength)
    matrix = np.asarray(turn @ aslant, np.float64)
    return Shape((Projective(_within(matrix, size, draw)),), backdrop=_backdrop(draw))


def _within(matrix: NDArray[np.float64], size: Size, draw: Draw) -> NDArray[np.float64]:
    """Scale and shift a map so that the page fills the image except for a margin.

    Near strength 0 the page stays in place.
    """
    height, width = size
    corners = Projective(matrix).forth(
        np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    room = np.array([width, height])
    margin = draw.between(0.0, 0.1) * draw.strength
    scale = float((room * (1 - 2 * margin) / (high - low)).min())
    fit = np.diag([scale, scale, 1.0])
    fit[:2, 2] = room / 2 - scale * (low + high) / 2
    return np.asarray(fit @ matrix)


WOODS = (
    ((70, 42, 24), (165, 115, 72)),
    ((110, 85, 60), (205, 180, 145)),
    ((45, 30, 22), (95, 66, 48)),
)
PLAINS = ((205, 205, 200), (120, 128, 134), (58, 74, 92), (226, 222, 212), (38, 40, 42))


def _backdrop(draw: Draw) -> partial[Image]:
    return partial(_draw_table, np.random.default_rng(draw.rng.integers(2**63)))


def _draw_table(rng: np.random.Generator, size: Size) -> Image:
    """Draw wood of three kinds, or a plain surface with slight unevenness."""
    height, width = size
    fine = rng.standard_normal((max(2, height // 3), max(2, width // 96)))
    nodes = np.clip(110 + 38 * fine, 0, 255).astype(np.uint8)
    values = np.asarray(cv2.resize(nodes, (width, height), interpolation=cv2.INTER_LINEAR))
    t = np.linspace(0, 1, 256)[:, None]
    if rng.random() < 0.6:
        dark, light = (np.array(c, np.float64) for c in WOODS[int(rng.integers(len(WOODS)))])
        ramp = dark + (light - dark) * t
    else:
        plain = np.array(PLAINS[int(rng.integers(len(PLAINS)))], np.float64)
        ramp = plain * (0.96 + 0.08 * t)
    return np.asarray(cv2.applyColorMap(values, ramp.astype(np.uint8)[:, None]), np.uint8)


@dataclass(frozen=True, eq=False)
class Radial:
    """Displacement of a lens: outwards from the centre with the cube of the distance."""

    centre: NDArray[np.float64]
    reach: float
    amount: float

    def __call__(self, points: Points) -> Points:
        away = points - self.centre
        square = np.einsum("ij,ij->i", away, away)[:, None] / self.reach**2
        return away * (self.amount * np.minimum(square, 2.0))


def lens(size: Size, draw: Draw) -> Shape:
    """Barrel or pincushion distortion: 5 per cent at the corners at full strength.

    Our default: a phone's wide lens without correction.
    """
    height, width = size
    middle = np.array([width, height]) * draw.rng.uniform(0.47, 0.53, 2)
    amount = 0.05 * draw.strength * draw.between(0.4, 1.0) * draw.sign()
    return Shape((Bend(Radial(middle, float(np.hypot(height, width)) / 2, amount)),))


def shadow(size: Size, draw: Draw) -> Field:
    """Shadow of a hand, an arm or the phone: a soft edge across the image."""
    x, y = axes(size)
    height, width = size
    u, v = x / width - 0.5, y / height - 0.5
    angle = draw.between(0, 2 * np.pi)
    across = (np.cos(angle) * u + np.sin(angle) * v).astype(np.float32)
    along = (-np.sin(angle) * u + np.cos(angle) * v).astype(np.float32)
    soft = draw.between(0.01, 0.08)
    edge = across - np.float32(draw.between(-0.25, 0.3))
    if draw.rng.random() < 0.6:  # fingers or an arm: the edge is not straight
        edge = edge + np.float32(0.08) * np.sin(along * np.float32(draw.between(4, 14)))
    dark = 1 / (1 + np.exp(-np.clip(edge / soft, -30, 30)))
    if draw.rng.random() < 0.5:  # an arm has two sides
        dark = dark / (1 + np.exp(np.clip((edge - draw.between(0.15, 0.4)) / soft, -30, 30)))
    depth = np.float32(-0.6 * draw.strength * draw.between(0.5, 1.0))
    return coloured(depth * dark.astype(np.float32), (1.0, 0.97, 0.92))


def uneven_light(size: Size, draw: Draw) -> Field:
    """Lamp at one side and darker corners: up to 45 per cent from one end to the other."""
    x, y = axes(size)
    height, width = size
    u, v = (x / width - 0.5).astype(np.float32), (y / height - 0.5).astype(np.float32)
    angle = draw.between(0, 2 * np.pi)
    slope = np.float32(np.cos(angle)) * u + np.float32(np.sin(angle)) * v
    corner = np.float32(draw.between(0.1, 0.5)) * (u * u + v * v)
    level = np.float32(draw.between(-0.22, 0.02))
    return coloured(np.float32(draw.strength) * (np.float32(0.45) * slope - corner + level))


def moire(size: Size, draw: Draw) -> Field:
    """Coloured moire fringes of the print's or screen's raster with the sensor's raster."""
    x, y = axes(size)
    height, width = size
    period = max(draw.mm(draw.between(5, 14)), 14.0)
    angle, bow = draw.between(0, np.pi), draw.between(-1.0, 1.0)
    u, v = (x - width / 2) / width, (y - height / 2) / height
    turn = ((np.cos(angle) * x + np.sin(angle) * y) / period).astype(np.float32)
    turn = turn + np.float32(bow * width / period * 0.25) * (u * u + v * v)
    phase = np.float32(2 * np.pi) * turn[..., None] + np.array([0.0, 1.2, 2.4], np.float32)
    return 1 + np.float32(0.16 * draw.strength) * (np.sin(phase) - np.float32(0.5))


def blur(image: Image, draw: Draw) -> Image:
    """Blur out of focus: a Gaussian of up to 0.45 mm of paper."""
    sigma = draw.mm(0.45) * draw.strength
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(sigma, 0.05), dst=image), np.uint8)


@cache
def _normal() -> NDArray[np.float64]:
    """Return the standard normal at the centres of 256 bins of equal probability."""
    from statistics import NormalDist

    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / 256) for i in range(256)])


def noise(image: Image, draw: Draw) -> Image:
    """Sensor noise in poor light: deviation up to 22 of 255 (our default), independent per colour.

    Values come from a table of 256, which takes a small part of the time of exact ones.
    """
    sigma = 22 * draw.strength
    table = np.clip(np.round(_normal() * sigma) + 128, 0, 255).astype(np.uint8)
    for top in range(0, len(image), BAND_PX):
        part = image[top : top + BAND_PX]
        values = np.frombuffer(draw.rng.bytes(part.size), np.uint8).reshape(part.shape)
        cv2.addWeighted(part, 1.0, cv2.LUT(values, table), 1.0, -128.0, dst=part)
    return image
