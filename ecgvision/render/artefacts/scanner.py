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


def skew(size: Size, lot: Draw) -> Shape:
    """Rotate the sheet by up to 2.5 degrees and shift it by up to 1.5 mm.

    The lid beside it is white or black.
    """
    matrix = about(size, lot.sign() * lot.between(0.4, 1.0) * 2.5 * lot.strength)
    matrix[:2, 2] += lot.rng.uniform(-1, 1, 2) * lot.mm(1.5) * lot.strength
    lid = 18 if lot.rng.random() < 0.2 else int(lot.rng.integers(228, 253))

    def backdrop(wanted: Size) -> Image:
        return np.full((*wanted, 3), lid, np.uint8)

    return Shape((Projective(matrix),), backdrop=backdrop)


def tone(image: Image, lot: Draw) -> Image:
    """Change the tone curve: faded or hard, with a slight colour cast, within 20 per cent."""
    levels = np.linspace(0, 1, 256)
    gamma = float(np.exp(lot.strength * lot.between(-0.5, 0.5)))
    black = lot.between(0, 0.2) * lot.strength
    white = 1 - lot.between(0, 0.12) * lot.strength
    cast = 1 - lot.rng.uniform(0, 0.08, 3) * lot.strength
    curve = (black + (white - black) * levels**gamma)[:, None] * cast
    table = np.clip(curve * 255 + 0.5, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(image, table, dst=image), np.uint8)


def streaks(image: Image, lot: Draw) -> Image:
    """Draw lines along the feed, from dirt on the glass or a faulty element of the sensor."""
    height, width = image.shape[:2]
    depth = 110 * lot.strength * min(1.0, lot.mm(0.4))  # a pixel may be wider than the line
    for _ in range(1 + round(5 * lot.strength * lot.rng.random())):
        thick = max(1, round(lot.mm(lot.between(0.1, 0.5))))
        x = int(lot.rng.integers(0, max(1, width - thick)))
        rgb = lot.rng.uniform(-1, 1) + (lot.rng.uniform(-0.4, 0.4, 3) * (lot.rng.random() < 0.5))
        band = image[:, x : x + thick].astype(np.float32) + np.float32(depth) * (
            rgb.astype(np.float32) - np.float32(0.3)
        )
        if lot.rng.random() < 0.3:  # the dirt comes off during the scan
            keep = int(lot.rng.integers(height))
            band[keep:] = image[keep:, x : x + thick]
        image[:, x : x + thick] = np.clip(band + 0.5, 0, 255).astype(np.uint8)
    return image


def dust(image: Image, lot: Draw) -> Image:
    """Draw specks and hairs on the glass: up to 60 on a letter page, of 0.1 to 0.5 mm."""
    height, width = image.shape[:2]
    sheets = height * width / (lot.mm(215.9) * lot.mm(279.4))
    for _ in range(max(1, round(60 * lot.strength * min(sheets, 4.0)))):
        shade = int(lot.rng.integers(20, 140)) if lot.rng.random() < 0.8 else 250
        rgb = (shade, shade, shade)
        x, y = int(lot.rng.integers(width)) * 16, int(lot.rng.integers(height)) * 16
        if lot.rng.random() < 0.12:
            turns = np.cumsum(lot.rng.normal(0, 0.35, 12)) + lot.between(0, 2 * np.pi)
            step = lot.mm(lot.between(0.2, 0.6)) * 16
            path = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=-1) * step, axis=0)
            line = (path + (x, y)).astype(np.int32)
            cv2.polylines(image, [line], False, rgb, max(1, round(lot.mm(0.1))), cv2.LINE_AA, 4)
        else:
            radius = int(16 * lot.mm(lot.between(0.1, 0.5)) / 2)
            cv2.circle(image, (x, y), radius, rgb, -1, cv2.LINE_AA, 4)
    return image
