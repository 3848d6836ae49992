"""A cell's name is taken from where it points."""

from __future__ import annotations

import torch

from ecgvision.reader.networks.name_pointer import ABOVE, BELOW, NamePointer


def test_names_are_taken_from_where_cells_point() -> None:
    """Cell by cell, half cell by half cell; beyond the page there is no name."""
    torch.manual_seed(0)
    rows, columns, kinds = 9, 4, 3
    pointer, x = NamePointer(8), torch.randn(2, 8, rows, columns)
    names = torch.rand(2, kinds, 2 * rows, 2 * columns)
    with torch.no_grad():
        found = pointer(x, names)
        share = pointer.where(x).softmax(1)
    assert found.shape == (2, kinds, rows, columns)
    for row in range(rows):
        wanted = torch.zeros(2, kinds, columns)
        for i, half in enumerate(range(2 * row + 1 - ABOVE, 2 * row + 1 + BELOW)):
            if 0 <= half < 2 * rows:
                both = (names[:, :, half, ::2] + names[:, :, half, 1::2]) / 2
                wanted += share[:, None, i, row] * both
        torch.testing.assert_close(found[:, :, row], wanted)
    assert share.shape[1] == ABOVE + BELOW
