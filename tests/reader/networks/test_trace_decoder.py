"""Columns read along a row: against drawn curves and a loop over the heights."""

from __future__ import annotations

import pytest
import torch

from ecgvision.reader.networks.trace_decoder import (
    MARGIN,
    NEAR,
    REACH,
    STEPS,
    TraceDecoder,
    more_points,
)

HEIGHT, WIDTH = 432, 560


def row(y: float, count: int = 64) -> torch.Tensor:
    """(1, 1, count, 2): a level row over the page's middle half."""
    x = 0.25 + 0.5 * (torch.arange(count) + 0.5) / count
    return torch.stack([x, torch.full_like(x, y)], dim=-1)[None, None]


def drawn(height: torch.Tensor, y: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Ink (two pixels thick) of a curve over the page's middle half, and how far below a cell its
    0 mV lies."""
    ink = torch.full((1, 1, HEIGHT, WIDTH), -8.0)
    offset = torch.full((1, 1, HEIGHT // 2, WIDTH // 2), 0.0)
    for i in range(WIDTH // 4, 3 * WIDTH // 4):
        at = height[(i - WIDTH // 4) * len(height) // (WIDTH // 2)]
        top = round(float(y - at) * HEIGHT)
        ink[..., top - 1 : top + 1, i] = 8.0
    rows = (torch.arange(HEIGHT // 2) + 0.5) / (HEIGHT // 2)
    offset[:] = (y - rows)[:, None]
    return ink, offset


def curve(count: int = 64) -> torch.Tensor:
    time = torch.arange(count) / count
    return 0.03 * torch.sin(6.283 * time) + 0.02 * torch.exp(-((time - 0.6) ** 2) / 0.01)


def test_a_new_head_already_follows_the_ink() -> None:
    head, wanted = TraceDecoder(), curve()
    ink, offset = drawn(wanted, 0.5)
    height, log_scale = head(ink, offset, more_points(row(0.5)))
    assert height.shape == log_scale.shape == (1, 1, 64)
    assert (height[0, 0] - wanted)[2:-2].abs().max() < 1.5 / HEIGHT + 0.003
    low, _ = head(ink, offset, more_points(row(0.51)))  # told too low: everything stands higher
    assert ((low - height)[0, 0, 2:-2] - 0.01).abs().max() < 0.004


def test_a_neighbours_trace_is_left_alone() -> None:
    """Two curves cross the strip; each pixel knows whose it is."""
    head, wanted = TraceDecoder(), curve()
    mine, offset = drawn(wanted, 0.5)
    other, beyond = drawn(-wanted, 0.6)
    theirs = torch.nn.functional.max_pool2d(other, 2) > 0
    offset = torch.where(theirs, beyond, offset)
    height, _ = head(torch.maximum(mine, other), offset, more_points(row(0.5)))
    assert (height[0, 0] - wanted)[2:-2].abs().max() < 0.008


def test_moments_by_loop() -> None:
    head = TraceDecoder()
    votes = 4 * torch.randn(3, STEPS, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = head._moments(votes)
    tenths = 10 * torch.linspace(REACH, -REACH, STEPS).double()
    for n in range(3):
        for c in range(5):
            v = votes[n, :, c].double()
            p = torch.softmax(v, 0)
            mean = (p * tenths).sum()
            second, third = ((p * (tenths - mean) ** k).sum() for k in (2, 3))
            wanted = torch.stack([mean, (second + 1e-4).sqrt(), third / (second + 1e-4),
                                  v.exp().sum().log() / 10])  # fmt: skip
            torch.testing.assert_close(found[n, :, c].double(), wanted, atol=1e-4, rtol=1e-3)


def test_rows_are_carried_on_by_their_step() -> None:
    points = row(0.4, 5) + torch.arange(5)[:, None] * torch.tensor([0.0, 0.01])
    more = more_points(points)
    assert more.shape == (1, 1, 5 + 2 * MARGIN, 2)
    torch.testing.assert_close(more[:, :, MARGIN:-MARGIN], points)
    step = more[0, 0, 1:] - more[0, 0, :-1]
    torch.testing.assert_close(step, step[:1].expand_as(step))


def test_rows_do_not_touch_one_another() -> None:
    head = TraceDecoder()
    assert head.log_near.exp().item() == pytest.approx(NEAR)
    ink, offset = drawn(curve(), 0.5)
    two = torch.cat([row(0.5), row(0.3)], dim=1)
    together, _ = head(ink, offset, more_points(two))
    alone, _ = head(ink, offset, more_points(row(0.5)))
    torch.testing.assert_close(together[:, :1], alone)
