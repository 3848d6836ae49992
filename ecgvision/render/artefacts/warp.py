"""The way from the drawn page to the picture: for points, and as maps for `cv2.remap`.

Coordinates are continuous, (0, 0) the top left corner and a point lies in the pixel given by
`floor`; OpenCV's are half a pixel less. Every step knows both ways, so that the way back is there
for the picture and the way forth for points, boxes and traces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError

Points = NDArray[np.float64]
Size = tuple[int, int]

FEW_PX, NODES_PX = 640, (4, 8)
"""Maps are worked out at every fourth pixel of a picture of at most 640 pixels a side, at every
eighth of a larger one, and filled in linearly, our defaults: on letter pages the bends drawn here
then stay within 0.06 px of the true place, at a small part of the time.
"""

ROUNDS, CLOSE_PX = 60, 1e-7  # of the fixed-point iteration; bends give 3 to 5 rounds a digit


class Step(Protocol):
    """One geometric change: (N, 2) finite x, y forth into the picture and back."""

    def forth(self, points: Points) -> Points: ...

    def back(self, points: Points) -> Points: ...


@dataclass(frozen=True, eq=False)
class Projective:
    """A plane seen from elsewhere: (3, 3) homography from page to picture."""

    matrix: NDArray[np.float64]

    def forth(self, points: Points) -> Points:
        return _project(self.matrix, points)

    def back(self, points: Points) -> Points:
        return _project(np.asarray(np.linalg.inv(self.matrix), np.float64), points)


def _project(matrix: NDArray[np.float64], points: Points) -> Points:
    x, y = points[:, 0], points[:, 1]
    a, b, c = matrix
    w = c[0] * x + c[1] * y + c[2]
    return np.stack([(a[0] * x + a[1] * y + a[2]) / w, (b[0] * x + b[1] * y + b[2]) / w], axis=-1)


@dataclass(frozen=True, eq=False)
class Bend:
    """A smooth displacement, stated on the way back: page = picture + shift(picture).

    `shift` must be a contraction (no two points may come to lie on each other); the way forth is
    found by fixed-point iteration, to 1e-7 pixels.
    """

    shift: Callable[[Points], Points]

    def forth(self, points: Points) -> Points:
        found = points - self.shift(points)
        for _ in range(ROUNDS):
            better = points - self.shift(found)
            moved = np.abs(better - found).max(initial=0.0)
            found = better
            if moved < CLOSE_PX:
                break
        return found

    def back(self, points: Points) -> Points:
        return points + self.shift(points)


@dataclass(frozen=True, eq=False)
class Warp:
    """From a page of `source` (height, width) pixels to a picture of `size`.

    Calling it moves points (..., 2) float64 x, y; what is not finite becomes NaN. Points that the
    picture does not show come out beside it.
    """

    source: Size
    size: Size
    steps: tuple[Step, ...] = ()

    def __call__(self, points: NDArray[Any]) -> Points:
        return self._each(points, [step.forth for step in self.steps])

    def back(self, points: NDArray[Any]) -> Points:
        """From the picture to the page: the inverse."""
        return self._each(points, [step.back for step in reversed(self.steps)])

    def then(self, other: Warp) -> Warp:
        """This one first, the other after it.

        Raises:
            ConfigError: if the other does not start from a picture of this one's size.
        """
        if other.source != self.size:
            raise ConfigError(
                f"a warp that ends at {self.size} pixels cannot be followed by one that starts "
                f"from another size",
                value=other.source,
            )
        return Warp(self.source, other.size, self.steps + other.steps)

    @property
    def still(self) -> bool:
        """True where nothing moves."""
        return not self.steps and self.size == self.source

    @property
    def scale(self) -> float:
        """Pixels of the picture a pixel of the page, at the middle of the page."""
        height, width = self.source
        middle = np.array([width / 2, height / 2])
        step = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        at = self(middle + step)
        return float(np.sqrt(abs(np.linalg.det(at[1:] - at[0]))))

    @property
    def node_px(self) -> int:
        """Pixels between the nodes of the picture's map."""
        return NODES_PX[int(max(self.size) > FEW_PX)]

    def nodes(self) -> NDArray[np.float32]:
        """(h + 2, w + 2, 2) places on the page that the middles of the picture's cells of
        `node_px` pixels are taken from, as `bands` wants them, in OpenCV's coordinates.
        """
        height, width = self.size
        cell = self.node_px
        x = (np.arange(-(-width // cell) + 2) - 0.5) * cell
        y = (np.arange(-(-height // cell) + 2) - 0.5) * cell
        return (self.back(np.stack(np.meshgrid(x, y), axis=-1)) - 0.5).astype(np.float32)

    def _each(self, points: NDArray[Any], ways: list[Callable[[Points], Points]]) -> Points:
        points = np.asarray(points, np.float64)
        if points.ndim == 0 or points.shape[-1] != 2:
            raise ConfigError("points must have shape (..., 2)", value=points.shape)
        flat = points.reshape(-1, 2)
        finite = np.isfinite(flat).all(axis=1)
        moved = flat[finite]
        for way in ways:
            moved = way(moved)
        out = np.full(flat.shape, np.nan)
        out[finite] = moved
        return out.reshape(points.shape)
