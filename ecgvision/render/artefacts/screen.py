"""Artefacts of cropping and of computer screens."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.render.artefacts.parts import Draw, Image, Shape
from ecgvision.render.artefacts.warp import Projective, Size
from ecgvision.render.artefacts.writing import written

THEMES = (
    ((240, 240, 240), (200, 204, 210), (60, 60, 60)),
    ((45, 48, 54), (62, 66, 74), (220, 220, 220)),
    ((228, 234, 242), (38, 84, 148), (255, 255, 255)),
)
"""Colours of a viewer's window, title bar and text: light, dark, and blue."""


def crop(size: Size, draw: Draw) -> Shape:
    """Cut off up to 6 per cent of the page at each edge.

    Our default: this removes margins and sometimes a lead name. The image becomes smaller.
    """
    height, width = size
    lost = draw.rng.random(4) * 0.06 * draw.strength * np.array([width, height, width, height])
    return _without(size, lost)


def cut(size: Size, draw: Draw) -> Shape:
    """Cut off one side of the page, up to 60 per cent of it.

    Our default: this imitates a misaligned copier or a torn page. The image becomes smaller.
    """
    side = int(draw.rng.integers(4))
    lost = np.zeros(4)
    lost[side] = size[1 - side % 2] * draw.between(0.2, 0.6) * draw.strength
    return _without(size, lost)


def _without(size: Size, lost: NDArray[np.float64]) -> Shape:
    """Return the shape of a page without `lost` pixels at its left, top, right and bottom."""
    left, top, right, bottom = (int(v) for v in lost.round())
    matrix = np.eye(3)
    matrix[:2, 2] = -left, -top
    smaller = max(1, size[0] - top - bottom), max(1, size[1] - left - right)
    return Shape((Projective(matrix),), size=smaller)


def screenshot(size: Size, draw: Draw) -> Shape:
    """Show the page in the window of a viewer, at 75 per cent or more of its size."""
    height, width = size
    scale = 1 - draw.strength * draw.between(0.06, 0.25)
    bar = (1 - scale) * height * draw.between(0.3, 0.6)  # height of the title bar and tools
    left = (1 - scale) * width * draw.between(0.3, 0.7)
    top = bar + ((1 - scale) * height - bar) * draw.between(0.1, 0.9)
    matrix = np.array([[scale, 0.0, left], [0.0, scale, top], [0.0, 0.0, 1.0]])
    theme = THEMES[int(draw.rng.integers(len(THEMES)))]
    return Shape((Projective(matrix),), backdrop=partial(_window, round(bar), theme))


def _window(bar: int, theme: tuple[tuple[int, int, int], ...], size: Size) -> Image:
    """Draw a window: background, title bar with a name and three buttons, and a frame."""
    height, width = size
    ground, title, ink = theme
    out = np.empty((height, width, 3), np.uint8)
    out[:] = ground
    bar = min(max(bar, 1), height)
    out[:bar] = title
    if bar >= 8:
        cover = written("ECG viewer", bar - 2, True)
        part = out[1 : 1 + cover.shape[0], bar // 2 : bar // 2 + cover.shape[1]]
        share = cover[: part.shape[0], : part.shape[1], None].astype(np.float32) / 255
        part[:] = (part * (1 - share) + np.array(ink, np.float32) * share + 0.5).astype(np.uint8)
        radius = max(1, bar // 5)
        for i, rgb in enumerate(((226, 84, 74), (226, 186, 70), (92, 190, 92))):
            at = (width - bar // 2 - i * 3 * radius, bar // 2)
            cv2.circle(out, at, radius, rgb, -1, cv2.LINE_AA)
    cv2.rectangle(out, (0, 0), (width - 1, height - 1), ink, 1)
    return out


def downscale(image: Image, draw: Draw) -> Image:
    """Store at up to two and a half times lower resolution and enlarge again."""
    height, width = image.shape[:2]
    factor = 1 + 1.5 * draw.strength
    small = max(1, round(width / factor)), max(1, round(height / factor))
    less = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(less, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
