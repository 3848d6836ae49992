"""From points of a picture to points of its sheet, laid flat, and back: a polynomial."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

POWERS = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))
"""Of x and y, the terms of the polynomial: third degree, as a photograph from the side and a sheet
that curls want it."""

ORDERS = 1 + max(max(power) for power in POWERS)
"""Powers of each, from 0."""

NEWTON = 4
"""Steps from a point of the paper to the picture's; each doubles the digits."""


class Sheet(NamedTuple):
    """From points of pictures to points of their sheets, laid flat, and back.

    Points of both are fractions of the picture's width and height, the same at its middle.

    Attributes:
        table: (B, 2, ORDERS, ORDERS), for across and down the paper: the shares that the powers of
            x (rows) times those of y (columns) have, from the picture's middle in halves of its
            width.
        seen: (B,) bool, whether a grid told them. Where none did, both points are the same.
        ratio: the picture's height over its width.
    """

    table: Tensor
    seen: Tensor
    ratio: float

    def flat(self, points: Tensor) -> Tensor:
        """(B, ..., 2), on the sheet."""
        return self._fractions(self._told(*_both(self._centred(points))))

    def bent(self, points: Tensor) -> Tensor:
        """(B, ..., 2), in the picture; by Newton's method."""
        wanted = self._centred(points)
        found = wanted
        for _ in range(NEWTON):
            found = found + self._undone(found, wanted - self._told(*_both(found)))
        return self._fractions(found)

    def up(self, points: Tensor) -> Tensor:
        """(B, ..., 2), how the picture's point moves when the sheet's moves up by its height."""
        height = torch.zeros_like(points)
        height[..., 1] = -2 * self.ratio
        return self._undone(self._centred(points), height) / self._size(points)

    def _undone(self, centred: Tensor, moved: Tensor) -> Tensor:
        """How the picture's point moves where the sheet's moves."""
        x, y = _both(centred)
        a, c = self._told(_slopes(x), y).unbind(-1)
        b, d = self._told(x, _slopes(y)).unbind(-1)
        u, v = moved.unbind(-1)
        return torch.stack([d * u - b * v, a * v - c * u], dim=-1) / (a * d - b * c)[..., None]

    def _told(self, x: Tensor, y: Tensor) -> Tensor:
        """(B, ..., 2) of (B, ..., ORDERS) each."""
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
    """(..., ORDERS, ORDERS) of (..., terms): see `Sheet`."""
    place = torch.zeros(len(POWERS), ORDERS, ORDERS, dtype=shares.dtype)
    for k, (i, j) in enumerate(POWERS):
        place[k, i, j] = 1
    return torch.einsum("...k,kij->...ij", shares, place.to(shares.device))


def _both(points: Tensor) -> tuple[Tensor, Tensor]:
    """(..., ORDERS) each, of x and of y."""
    return powers(points[..., 0]), powers(points[..., 1])


def powers(values: Tensor) -> Tensor:
    """(..., ORDERS) of (...)."""
    return values[..., None] ** torch.arange(ORDERS, device=values.device)


def _slopes(powers: Tensor) -> Tensor:
    """Of powers (..., ORDERS)."""
    order = torch.arange(1, ORDERS, device=powers.device)
    return F.pad(order * powers[..., :-1], (1, 0))


def slope_terms(points: Tensor) -> Tensor:
    """(2, terms, ...) of (..., 2): of every term the slope by x, and by y."""
    x, y = _both(points)
    i, j = (list(order) for order in zip(*POWERS, strict=True))
    both = [_slopes(x)[..., i] * y[..., j], x[..., i] * _slopes(y)[..., j]]
    return torch.stack(both).movedim(-1, 1)
