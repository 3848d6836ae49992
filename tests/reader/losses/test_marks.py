"""Which cells know a mark, by a loop; and what right and wrong answers cost."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import one_hot

from ecgvision.reader.data.marks import NO_MARK
from ecgvision.reader.losses.marks import mark_loss, mark_truth

GRID = (12, 16)


def marks() -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    place = torch.rand(3, 8, 2, generator=g)
    mark = torch.randint(0, NO_MARK, (3, 8), generator=g)
    place[0, 5:], mark[0, 5:] = math.nan, NO_MARK
    place[2], mark[2] = math.nan, NO_MARK
    place[1, 0] = torch.tensor([1.4, 0.5])  # off the picture
    return place, mark


def test_truth_by_loop() -> None:
    place, mark = marks()
    truth = mark_truth(place, mark, GRID)
    for b in range(3):
        for r in range(GRID[0]):
            for c in range(GRID[1]):
                wanted, nearest = NO_MARK, 1.0
                for (x, y), kind in zip(place[b].tolist(), mark[b].tolist(), strict=True):
                    far = max(abs(x * GRID[1] - c - 0.5), abs(y * GRID[0] - r - 0.5))
                    if far < nearest:
                        wanted, nearest = kind, far
                assert truth[b, r, c] == wanted
    assert (truth[2] == NO_MARK).all()


def test_right_answers_cost_nothing_and_rare_ones_count() -> None:
    place, mark = marks()
    truth = mark_truth(place, mark, GRID)
    right = 40.0 * one_hot(truth, NO_MARK + 1).permute(0, 3, 1, 2)
    assert mark_loss(right, place, mark).item() == pytest.approx(0, abs=1e-6)
    silent = torch.zeros_like(right)
    silent[:, NO_MARK] = 40.0  # "nothing anywhere" is right for nine cells of ten
    assert mark_loss(silent, place, mark).item() == pytest.approx(40.0, rel=1e-4)
    even = torch.zeros_like(right)
    assert mark_loss(even, place, mark).item() == pytest.approx(2 * math.log(NO_MARK + 1), rel=1e-4)


def test_pages_without_marks_teach_that_there_are_none() -> None:
    place, mark = (part[2:] for part in marks())
    logits = torch.zeros(1, NO_MARK + 1, *GRID, requires_grad=True)
    mark_loss(logits, place, mark).backward()
    assert logits.grad is not None
    assert (logits.grad[:, NO_MARK] < 0).all()
