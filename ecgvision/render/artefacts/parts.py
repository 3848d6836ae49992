"""Common parts of artefacts: random draws, stages, and fields of light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.render.artefacts.bands import bands
from ecgvision.render.artefacts.warp import Size, Step

Image = NDArray[np.uint8]
Field = NDArray[np.float32]
Stage = Literal["sheet", "tint", "shape", "light", "picture"]

CELL_PX = 4  # light changes slowly: one value of a field covers this many pixels either way


@dataclass(frozen=True, eq=False)
class Draw:
    """Random numbers, strength and resolution of one artefact.

    Attributes:
        rng: generator of this artefact alone, so that no other artefact changes what it draws.
        strength: in (0, 1].
        dpi: pixels per inch of paper.
    """

    rng: np.random.Generator
    strength: float
    dpi: float

    def mm(self, length: float) -> float:
        """Convert millimetres of paper to pixels."""
        return length * self.dpi / 25.4

    def sign(self) -> float:
        """Return -1 or 1 at random."""
        return float(self.rng.integers(2) * 2 - 1)

    def between(self, low: float, high: float) -> float:
        """Return a random number from [low, high)."""
        return float(self.rng.uniform(low, high))


@dataclass(frozen=True, eq=False)
class Shape:
    """A geometric change.

    Attributes:
        steps: maps from the current image to the next.
        size: (height, width) of the next image, None if it does not change.
        backdrop: draws the surroundings of the page, (H, W, 3) for a size; None keeps the previous
            backdrop.
        tint: shading on the page, a field of gains; None for none.
    """

    steps: tuple[Step, ...]
    size: Size | None = None
    backdrop: Callable[[Size], Image] | None = None
    tint: Field | None = None


@dataclass(frozen=True)
class Artefact:
    """One kind of damage.

    Attributes:
        what: short description, for lists.
        stage: `sheet` draws on the paper; `tint` returns gains (h, w, 3) on the paper; `shape`
            returns a `Shape`; `light` returns gains on the image; `picture` returns another image.
        make: the function of that stage: of (image, draw) for `sheet` and `picture`, which may
            modify the given image, and of (size, draw) for the others. No transform mirrors.
        size_changes: whether the image may have another size than the page.
    """

    what: str
    stage: Stage
    make: Callable[..., Any]
    size_changes: bool = False


def coarse(size: Size) -> Size:
    """Return the size of a field of gains for an image of `size`."""
    return -(-size[0] // CELL_PX), -(-size[1] // CELL_PX)


def axes(size: Size) -> tuple[Field, Field]:
    """Return (1, w) x and (h, 1) y of a field's values, in pixels of the image."""
    h, w = coarse(size)
    x = (np.arange(w, dtype=np.float32) + 0.5) * CELL_PX
    y = (np.arange(h, dtype=np.float32) + 0.5) * CELL_PX
    return x[None], y[:, None]


def clouds(rng: np.random.Generator, size: Size, cells: Size) -> Field:
    """Return (h, w) smooth noise of about unit deviation, with `cells` bumps down and across."""
    nodes = rng.standard_normal((cells[0] + 2, cells[1] + 2)).astype(np.float32)
    return np.asarray(cv2.resize(nodes, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def coloured(field: Field, rgb: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Field:
    """Return (h, w, 3) gains 1 + field * rgb."""
    return np.float32(1) + field[..., None] * np.array(rgb, np.float32)


def shine(image: Image, gains: Field) -> Image:
    """Multiply an image by a coarse field of gains (h, w, 3)."""
    out = np.empty_like(image)
    nodes = cv2.copyMakeBorder(gains, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    for rows, full in bands(np.asarray(nodes, np.float32), CELL_PX, image.shape[:2]):
        cv2.multiply(image[rows], full, dst=out[rows], dtype=cv2.CV_8U)
    return out


def lay(
    image: Image, cover: NDArray[np.uint8], top: int, left: int, rgb: tuple[int, int, int]
) -> None:
    """Draw a (h, w) coverage of ink over an image in place, clipped at its edges.

    The ink is transparent, like that of a pen or a stamp: black stays black.
    """
    height, width = image.shape[:2]
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + cover.shape[0], height), min(left + cover.shape[1], width)
    if y0 >= y1 or x0 >= x1:
        return
    part = cover[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32) / 255
    gain = 1 - part[..., None] * (1 - np.array(rgb, np.float32) / 255)
    image[y0:y1, x0:x1] = (image[y0:y1, x0:x1] * gain + 0.5).astype(np.uint8)
