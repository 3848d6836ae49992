"""A smooth map between a picture and the paper in it, and the picture made flat by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.reader.rectify.lattice import Lattice

SQUARE_MM = 5.0

MARGIN = 2
"""Squares added on every side of the crossings found, so that print beyond the grid is kept."""

ROUNDS = 200
"""Rounds of averaging that make the guessed crossings smooth; our default."""

WHITE = (255.0, 255.0, 255.0)

CLIP = 64
"""Rows of the flat page that are made at once, so that a page takes little memory."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Positions of a grid of 5 mm squares in a picture.

    Attributes:
        nodes: (rows, columns, 2) float64 x, y in pixels of the picture, (0, 0) in the middle of the
            first pixel. Node (row, column) is at x = 5 column and y = 5 row millimetres.
        seen: (rows, columns) bool, the nodes that were found on the paper; the others are guesses.
    """

    nodes: NDArray[np.float64]
    seen: NDArray[np.bool_]

    @property
    def size_mm(self) -> tuple[float, float]:
        """(height, width) of the paper that the mesh covers."""
        rows, columns = self.seen.shape
        return (rows - 1) * SQUARE_MM, (columns - 1) * SQUARE_MM

    @property
    def px_per_mm(self) -> float:
        """Resolution of the picture on the paper, the median over the squares seen."""
        sides = [np.linalg.norm(np.diff(self.nodes, axis=axis), axis=-1) for axis in (0, 1)]
        return float(np.median(np.concatenate([side.ravel() for side in sides]))) / SQUARE_MM

    def to_picture(self, mm: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the pixels of points on the paper.

        Args:
            mm: (..., 2) x, y in millimetres from the mesh's upper left corner.

        Returns:
            (..., 2) x, y; points beyond the mesh have the position of its nearest edge.
        """
        at = np.asarray(mm, np.float64).reshape(-1, 2) / SQUARE_MM
        rows, columns = (_spline(at[:, k], n) for k, n in ((1, len(self.nodes)),
                                                           (0, self.nodes.shape[1])))  # fmt: skip
        near = self.nodes[rows.near[:, :, None], columns.near[:, None]]
        out = np.einsum("ni,nj,nijk->nk", rows.weight, columns.weight, near)
        return out.reshape(np.shape(mm))

    def turned(self, quarters: int) -> Mesh:
        """Return the mesh of the same paper read after so many quarter turns to the left."""
        return Mesh(np.rot90(self.nodes, quarters), np.rot90(self.seen, quarters))

    def flatten(
        self, picture: NDArray[np.uint8], px_per_mm: float, across: float | None = None
    ) -> NDArray[np.uint8]:
        """Return the paper as if scanned flat; what lies outside the picture is white.

        Where the picture is finer than the result, it is averaged first, so that thin lines fade
        instead of breaking.

        Args:
            picture: (H, W, 3) uint8.
            px_per_mm: resolution of the result.
            across: resolution from left to right, if it differs.

        Returns:
            (height, width, 3) uint8; the middle of pixel (0, 0) is half a pixel from the corner of
            the mesh in both directions.
        """
        scale = 1.0
        while self.px_per_mm * scale > 1.5 * px_per_mm:
            scale /= 2
        if scale < 1:
            size = [max(1, round(n * scale)) for n in picture.shape[1::-1]]
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        fine = px_per_mm if across is None else across
        height, width = (round(mm * px) for mm, px in
                         zip(self.size_mm, (px_per_mm, fine), strict=True))  # fmt: skip
        step = px_per_mm * SQUARE_MM
        nodes = (self.nodes + 0.5) * scale - 0.5
        columns = _spline((np.arange(width) + 0.5) / (fine * SQUARE_MM), nodes.shape[1]).dense()
        rows = _spline((np.arange(height) + 0.5) / step, len(nodes)).dense()
        wide = np.einsum("wc,rck->krw", columns, nodes).astype(np.float32)
        out = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, CLIP):
            part = rows[top : top + CLIP].astype(np.float32)
            x, y = (np.ascontiguousarray(part @ of) for of in wide)
            out[top : top + CLIP] = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderValue=WHITE,
                                              borderMode=cv2.BORDER_CONSTANT)  # fmt: skip
        return out


class _Spline(NamedTuple):
    """Interpolation at N places between nodes: the four nodes of each, and their weights."""

    near: NDArray[np.intp]
    weight: NDArray[np.float64]
    total: int

    def dense(self) -> NDArray[np.float64]:
        """Return the weights of all nodes, (N, total)."""
        out = np.zeros((len(self.near), self.total))
        np.add.at(out, (np.arange(len(out))[:, None], self.near), self.weight)
        return out


def _spline(at: NDArray[np.floating], count: int) -> _Spline:
    """Interpolate at places in units of nodes, between nodes 0 and count - 1.

    Catmull and Rom's spline (1974) goes through the nodes, is smooth, and follows straight lines
    exactly. OpenCV's cubic interpolation does not, and knows 32 places between two nodes only.
    Beyond the last nodes the place is that of the nearest edge.
    """
    at = at.astype(np.float64).clip(0, count - 1)
    first = np.floor(at).clip(0, count - 2).astype(np.intp)
    t = at - first
    weight = 0.5 * np.stack([
        -t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2
    ], axis=1)  # fmt: skip
    index = first[:, None] + np.arange(-1, 3)
    for missing, one, two in ((index[:, 0] < 0, 1, 2), (index[:, 3] >= count, 2, 1)):
        outer = 0 if one == 1 else 3  # a node beyond the edge continues the line of the last two
        lost = np.where(missing, weight[:, outer], 0)
        weight[:, one] += 2 * lost
        weight[:, two] -= lost
        weight[:, outer] -= lost
    return _Spline(index.clip(0, count - 1), weight, count)


def plain_mesh(size: Sequence[int], px_per_mm: float) -> Mesh:
    """Return the mesh of a picture that is flat paper already.

    Args:
        size: (height, width) of the picture in pixels.
        px_per_mm: its resolution.
    """
    step = SQUARE_MM * px_per_mm
    rows, columns = (math.ceil(n / step) + 1 for n in size[:2])
    across, down = np.meshgrid(np.arange(columns) * step - 0.5, np.arange(rows) * step - 0.5)
    return Mesh(np.stack([across, down], axis=-1), np.zeros(across.shape, bool))


def mesh_of(lattice: Lattice, scale: float = 1.0) -> Mesh:
    """Return the mesh through a lattice of 5 mm squares.

    Crossings that were not found, and `MARGIN` squares around, follow the perspective of those that
    were, and bend with their neighbours.

    Args:
        scale: pixels of the lattice's picture per pixel of the picture that the mesh is for.
    """
    found = np.pad(lattice.found, MARGIN)
    points = np.pad(lattice.points, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)),
                    constant_values=np.nan)  # fmt: skip
    rows, columns = np.indices(found.shape).astype(np.float64)
    index = np.stack([columns, rows], axis=-1)
    matrix, _ = cv2.findHomography(index[found], points[found], 0)
    plane = cv2.perspectiveTransform(index.reshape(-1, 1, 2), matrix).reshape(points.shape)
    off = np.where(found[..., None], points - plane, 0).astype(np.float32)
    nodes = plane + _spread(off, found)
    return Mesh(np.asarray((nodes + 0.5) / scale - 0.5, np.float64), found)


def _spread(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill (rows, columns, 2) smoothly outside `known`."""
    out, have = values.copy(), known.copy()
    while not have.all():
        total = cv2.blur(np.where(have[..., None], out, 0), (3, 3), borderType=cv2.BORDER_CONSTANT)
        count = cv2.blur(have.astype(np.float32), (3, 3), borderType=cv2.BORDER_CONSTANT)
        new = ~have & (count > 1e-6)
        out[new] = total[new] / count[new][:, None]
        have |= new
    for _ in range(ROUNDS):
        out = np.where(known[..., None], values, cv2.blur(out, (3, 3)))
    return np.asarray(out, np.float32)
