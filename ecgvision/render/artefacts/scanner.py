"""Artefacts of a flat-bed or sheet-fed scanner."""

from __future__ import annotations

import cv2
import numpy as np

from ecgvision.render.artefacts.parts import Draw, Image, Shape
from ecgvision.render.artefacts.warp import Projective, Size


def about(size: Size, degrees: float, scale: float = 1.0) -> np.ndarray:
    """Return a (3, 3) rotation and scaling about the centre of a page of `size`.

    The rotation is anticlockwise as seen.
    """
    height, width = size
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    return matrix


def skew(size: Size, draw: Draw) -> Shape:
    """Rotate the sheet by up to 2.5 degrees and shift it by up to 1.5 mm.

    The lid beside it is white or black.
    """
    matrix = about(size, draw.sign() * draw.between(0.4, 1.0) * 2.5 * draw.strength)
    matrix[:2, 2] += draw.rng.uniform(-1, 1, 2) * draw.mm(1.5) * draw.strength
    lid = 18 if draw.rng.random() < 0.2 else int(draw.rng.integers(228, 253))

    def backdrop(wanted: Size) -> Image:
        return np.full((*wanted, 3), lid, np.uint8)

    return Shape((Projective(matrix),), backdrop=backdrop)


def tone(image: Image, draw: Draw) -> Image:
    """Change the tone curve: faded or hard, with a slight colour cast, within 20 per cent."""
    levels = np.linspace(0, 1, 256)
    gamma = float(np.exp(draw.strength * draw.between(-0.5, 0.5)))
    black = draw.between(0, 0.2) * draw.strength
    white = 1 - draw.between(0, 0.12) * draw.strength
    cast = 1 - draw.rng.uniform(0, 0.08, 3) * draw.strength
    curve = (black + (white - black) * levels**gamma)[:, None] * cast
    table = np.clip(curve * 255 + 0.5, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(image, table, dst=image), np.uint8)


def streaks(image: Image, draw: Draw) -> Image:
    """Draw lines along the feed, from dirt on the glass or a faulty element of the sensor."""
    height, width = image.shape[:2]
    depth = 110 * draw.strength * min(1.0, draw.mm(0.4))  # a pixel may be wider than the line
    for _ in range(1 + round(5 * draw.strength * draw.rng.random())):
        thick = max(1, round(draw.mm(draw.between(0.1, 0.5))))
        x = int(draw.rng.integers(0, max(1, width - thick)))
        rgb = draw.rng.uniform(-1, 1) + (draw.rng.uniform(-0.4, 0.4, 3) * (draw.rng.random() < 0.5))
        band = image[:, x : x + thick].astype(np.float32) + np.float32(depth) * (
            rgb.astype(np.float32) - np.float32(0.3)
        )
        if draw.rng.random() < 0.3:  # the dirt comes off during the scan
            keep = int(draw.rng.integers(height))
            band[keep:] = image[keep:, x : x + thick]
        image[:, x : x + thick] = np.clip(band + 0.5, 0, 255).astype(np.uint8)
    return image


def dust(image: Image, draw: Draw) -> Image:
    """Draw specks and hairs on the glass: up to 60 on a letter page, of 0.1 to 0.5 mm."""
    height, width = image.shape[:2]
    sheets = height * width / (draw.mm(215.9) * draw.mm(279.4))
    for _ in range(max(1, round(60 * draw.strength * min(sheets, 4.0)))):
        shade = int(draw.rng.integers(20, 140)) if draw.rng.random() < 0.8 else 250
        rgb = (shade, shade, shade)
        x, y = int(draw.rng.integers(width)) * 16, int(draw.rng.integers(height)) * 16
        if draw.rng.random() < 0.12:
            turns = np.cumsum(draw.rng.normal(0, 0.35, 12)) + draw.between(0, 2 * np.pi)
            step = draw.mm(draw.between(0.2, 0.6)) * 16
            path = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=-1) * step, axis=0)
            line = (path + (x, y)).astype(np.int32)
            cv2.polylines(image, [line], False, rgb, max(1, round(draw.mm(0.1))), cv2.LINE_AA, 4)
        else:
            radius = int(16 * draw.mm(draw.between(0.1, 0.5)) / 2)
            cv2.circle(image, (x, y), radius, rgb, -1, cv2.LINE_AA, 4)
    return image
