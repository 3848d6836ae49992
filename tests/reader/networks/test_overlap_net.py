"""OverlapNet: against a loop, and on strokes that are given to other rows."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ecgvision.reader.networks.overlap_net import CELL, DOUBT, OverlapNet, _pixels


@pytest.mark.parametrize("columns", [24, 25])
def test_a_new_network_changes_nearly_nothing(columns: int) -> None:
    ink, off = torch.randn(2, 3, 48, columns)
    more, pardon = OverlapNet()(4 * ink, 3 * off)
    assert more.shape == pardon.shape == (3, 48, columns)
    assert not more.any()
    torch.testing.assert_close(pardon, torch.full_like(pardon, DOUBT).sigmoid())


def test_pixels_by_loop() -> None:
    high, wide = CELL
    cells = torch.randn(2, high * wide, 3, 5)
    found = _pixels(cells)
    assert found.shape == (2, 3 * high, 5 * wide)
    for y in range(3 * high):
        for x in range(5 * wide):
            wanted = cells[:, (y % high) * wide + x % wide, y // high, x // wide]
            assert torch.equal(found[:, y, x], wanted)


def strips(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ink and rows of strips in which a stroke rises from the row in the middle, of whose pixels
    the upper ones are given to the row above, as is a trace there; and which pixels are the
    stroke's."""
    g = torch.Generator().manual_seed(seed)
    ink, off = torch.full((count, 48, 32), -8.0), torch.full((count, 48, 32), 5.0)
    own = torch.zeros(count, 48, 32, dtype=torch.bool)
    ink[:, 8] = 8  # the trace above
    for i, column in enumerate(torch.randint(4, 28, (count,), generator=g).tolist()):
        own[i, 4:24, column : column + 2] = True
        own[i, 24] = True
        off[i, 14:26] = 0
    ink[own] = 8
    return ink, off, own


def test_it_learns_what_a_strokes_upper_part_belongs_to() -> None:
    torch.manual_seed(0)
    network = OverlapNet(width=8)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)

    def votes(ink: torch.Tensor, off: torch.Tensor) -> torch.Tensor:
        more, pardon = network(ink, off)
        return ink + more - 0.5 * off.square() * (1 - pardon)

    def right(seed: int) -> float:
        ink, off, own = strips(16, seed)
        given_away = (ink > 0) & (off > 0)
        with torch.no_grad():
            return float(((votes(ink, off) > 0) == own)[given_away].float().mean())

    assert right(99) < 0.7  # what is given to another row has no vote
    for seed in range(60):
        ink, off, own = strips(8, seed)
        loss = F.binary_cross_entropy_with_logits(votes(ink, off), own.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert right(99) > 0.95
