"""Map from the drawn page to the image: for points, and as maps for `cv2.remap`.

Coordinates are continuous. (0, 0) is the top left corner, and a point is in the pixel given by
`floor`. OpenCV's coordinates are half a pixel less. Every step has both directions: backward for
resampling the image, forward for points, boxes and traces.
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
"""Largest side of a small image, and node spacing of maps for small and for larger images.

Maps are computed at every fourth pixel of an image of at most 640 pixels a side, at every eighth of
a larger one, and interpolated linearly. Our defaults: on letter pages, the bends drawn here then
stay within 0.06 px of the true position, at a small part of the time.
"""

ROUNDS, CLOSE_PX = 60, 1e-7  # of the fixed-point iteration; bends need 3 to 5 rounds per digit


class Step(Protocol):
    """One geometric change of (N, 2) finite x, y: `forth` into the image, and `back`."""

    def forth(self, points: Points) -> Points: ...

    def back(self, points: Points) -> Points: ...


@dataclass(frozen=True, eq=False)
class Projective:
    """Perspective view of a plane: (3, 3) homography from page to image."""

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
    """Smooth displacement, defined by its inverse: page = picture + shift(picture).

    `shift` must be a contraction (no two points may coincide afterwards). The forward map is found
    by fixed-point iteration, to 1e-7 pixels.
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
    """Map from a page of `source` (height, width) pixels to an image of `size`.

    Calling it moves points (..., 2) float64 x, y; non-finite points become NaN. Points outside the
    image get coordinates outside it.
    """

    source: Size
    size: Size
    steps: tuple[Step, ...] = ()

    def __call__(self, points: NDArray[Any]) -> Points:
        return self._each(points, [step.forth for step in self.steps])

    def back(self, points: NDArray[Any]) -> Points:
        """Map points from the image to the page: the inverse."""
        return self._each(points, [step.back for step in reversed(self.steps)])

    def then(self, other: Warp) -> Warp:
        """Return the composition: this warp first, the other after it.

        Raises:
            ConfigError: if the other does not start from an image of this one's size.
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
        """True if nothing moves."""
        return not self.steps and self.size == self.source

    @property
    def scale(self) -> float:
        """Image pixels per page pixel, at the centre of the page."""
        height, width = self.source
        middle = np.array([width / 2, height / 2])
        step = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        at = self(middle + step)
        return float(np.sqrt(abs(np.linalg.det(at[1:] - at[0]))))

    @property
    def node_px(self) -> int:
        """Pixels between the nodes of the image's map."""
        return NODES_PX[int(max(self.size) > FEW_PX)]

    def nodes(self) -> NDArray[np.float32]:
        """Return the positions on the page of the image's map nodes, in OpenCV's coordinates.

        The result is (h + 2, w + 2, 2). The nodes are the centres of the image's cells of `node_px`
        pixels, in the form that `bands` expects.
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
