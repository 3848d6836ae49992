"""Polynomial map between points of an image and points of the flattened sheet."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

POWERS = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))
"""Powers of x and y in the terms of the polynomial; the third degree models perspective and curled
sheets."""

ORDERS = 1 + max(max(power) for power in POWERS)
"""Number of powers of each coordinate, from 0."""

NEWTON = 4
"""Number of Newton steps from a point of the sheet to the image; each doubles the correct
digits."""


class Sheet(NamedTuple):
    """Map between points of images and points of their flattened sheets, in both directions.

    Points of both are fractions of the image's width and height, and are the same at its middle.

    Attributes:
        table: (B, 2, ORDERS, ORDERS), for the coordinates across and down the sheet: coefficients
            of the powers of x (rows) times those of y (columns). x and y are measured from the
            image's middle, in halves of its width.
        seen: (B,) bool, whether a grid was found. If not, both points are the same.
        ratio: the image's height over its width.
    """

    table: Tensor
    seen: Tensor
    ratio: float

    def flat(self, points: Tensor) -> Tensor:
        """Return the points on the sheet, (B, ..., 2)."""
        return self._fractions(self._told(*_both(self._centred(points))))

    def bent(self, points: Tensor) -> Tensor:
        """Return the points in the image, (B, ..., 2), by Newton's method."""
        wanted = self._centred(points)
        found = wanted
        for _ in range(NEWTON):
            found = found + self._undone(found, wanted - self._told(*_both(found)))
        return self._fractions(found)

    def up(self, points: Tensor) -> Tensor:
        """Return the displacement in the image, (B, ..., 2), for a rise by the sheet's height."""
        height = torch.zeros_like(points)
        height[..., 1] = -2 * self.ratio
        return self._undone(self._centred(points), height) / self._size(points)

    def _undone(self, centred: Tensor, moved: Tensor) -> Tensor:
        """Return the displacement in the image for one on the sheet, by the inverse Jacobian."""
        x, y = _both(centred)
        a, c = self._told(_slopes(x), y).unbind(-1)
        b, d = self._told(x, _slopes(y)).unbind(-1)
        u, v = moved.unbind(-1)
        return torch.stack([d * u - b * v, a * v - c * u], dim=-1) / (a * d - b * c)[..., None]

    def _told(self, x: Tensor, y: Tensor) -> Tensor:
        """Evaluate the polynomial, (B, ..., 2), from powers (B, ..., ORDERS) of each coordinate."""
        flat = torch.einsum("bcij,bni,bnj->bnc", self.table.to(x), x.flatten(1, -2),
                            y.flatten(1, -2))  # fmt: skip
        return flat.reshape(*x.shape[:-1], 2)

    def _size(self, like: Tensor) -> Tensor:
        return 2 * like.new_tensor([1.0, self.ratio])

    def _centred(self, points: Tensor) -> Tensor:
        return (points - 0.5) * self._size(points)

    def _fractions(self, centred: Tensor) -> Tensor:
        return 0.5 + centred / self._size(centred)


def polynomial(shares: Tensor) -> Tensor:
    """Arrange coefficients (..., terms) as (..., ORDERS, ORDERS); see `Sheet`."""
    place = torch.zeros(len(POWERS), ORDERS, ORDERS, dtype=shares.dtype)
    for k, (i, j) in enumerate(POWERS):
        place[k, i, j] = 1
    return torch.einsum("...k,kij->...ij", shares, place.to(shares.device))


def _both(points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the powers of x and of y, (..., ORDERS) each."""
    return powers(points[..., 0]), powers(points[..., 1])


def powers(values: Tensor) -> Tensor:
    """Return the powers of (...) as (..., ORDERS)."""
    return values[..., None] ** torch.arange(ORDERS, device=values.device)


def _slopes(powers: Tensor) -> Tensor:
    """Return the derivatives of powers, (..., ORDERS)."""
    order = torch.arange(1, ORDERS, device=powers.device)
    return F.pad(order * powers[..., :-1], (1, 0))


def slope_terms(points: Tensor) -> Tensor:
    """Return (2, terms, ...): the derivatives of every term by x and by y at points (..., 2)."""
    x, y = _both(points)
    i, j = (list(order) for order in zip(*POWERS, strict=True))
    both = [_slopes(x)[..., i] * y[..., j], x[..., i] * _slopes(y)[..., j]]
    return torch.stack(both).movedim(-1, 1)
