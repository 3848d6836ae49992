"""The simpler ways to read a column, on lines of ink whose heights are known."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ecgvision.reader.networks.trace_decoder import MARGIN, TraceDecoder
from experiments.bench import __main__ as bench
from experiments.bench.reader_ways import Dense

SIZE = (288, 192)
ROWS = (0.3, 0.5)


def lines(heights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ink, offset and points of two rows with a line each, `heights` (2, columns) above 0 mV."""
    count = heights.shape[1]
    x = (torch.arange(count) + 0.5) / SIZE[1]
    y = (torch.arange(SIZE[0]) + 0.5) / SIZE[0]
    ink = torch.full((1, 1, *SIZE), -30.0)
    offset = torch.zeros(1, 1, *SIZE)
    for row, up in zip(ROWS, heights, strict=True):
        near = (y[:, None] - (row - up)).abs() < 1.2 / SIZE[0]
        ink[0, 0, :, :count][near] = 30.0
        offset[0, 0, :, :count] = torch.where(near, row - y[:, None], offset[0, 0, :, :count])
    points = torch.stack([torch.stack([x, torch.full_like(x, row)], -1) for row in ROWS])[None]
    return ink, offset[:, :, ::2, ::2], points


@pytest.mark.parametrize("owned", [False, True])
def test_a_lines_height_is_the_mean_of_its_ink(owned: bool) -> None:
    torch.manual_seed(0)
    heights = 0.05 * torch.rand(2, SIZE[1])
    if owned:  # offsets are known to two pixels
        heights = heights.reshape(2, -1, 16).mean(2).repeat_interleave(16, 1)
    ink, offset, points = lines(heights)
    found, scale = Dense(TraceDecoder() if owned else None)(ink, offset, points)
    wanted = heights[:, MARGIN:-MARGIN]
    assert found.shape == scale.shape == (1, *wanted.shape)
    inside = slice(8, -8, 16) if owned else slice(None)
    assert (found[0] - wanted)[:, inside].abs().max() < 2 / SIZE[0]


def test_what_reaches_into_the_next_row_is_lost_unless_it_is_owned() -> None:
    heights = torch.stack([torch.zeros(SIZE[1]), torch.full((SIZE[1],), 0.12)])
    ink, offset, points = lines(heights)  # the lower row's line is nearer to the upper row
    dense, _ = Dense()(ink, offset, points)
    owned, _ = Dense(TraceDecoder())(ink, offset, points)
    assert (owned[0, 1] - 0.12).abs().max() < 2 / SIZE[0]
    assert (dense[0, 1] - 0.12).abs().min() > 0.05
    assert (owned[0, 0]).abs().max() < 2 / SIZE[0]


def test_ink_that_is_given_to_another_row_counts_once_it_is_pardoned() -> None:
    heights = torch.stack([torch.zeros(SIZE[1]), torch.full((SIZE[1],), 0.12)])
    ink, offset, points = lines(heights)
    taken = offset.abs() > 0.1  # the lower row's line, as if it were the upper row's
    offset[taken] -= ROWS[1] - ROWS[0]
    ink /= 2  # less than the penalty for so far a row
    head = TraceDecoder()
    owned, _ = Dense(head)(ink, offset, points)
    assert (owned[0, 1] - 0.12).abs().min() > 0.05
    with torch.no_grad():
        parts = head.crossings.answer.bias
        parts[len(parts) // 2 :] = 30.0  # of every penalty, all is forgiven
    assert torch.equal(Dense(head)(ink, offset, points)[0], owned)
    crossed, _ = Dense(head, crossed=True)(ink, offset, points)
    assert (crossed[0, 1] - 0.12).abs().max() < 2 / SIZE[0]


def test_all_ways_are_told_of_the_same_pages(
    trained_reader: Path, tiny_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reader", "--run", str(trained_reader), "--store", str(tiny_store), "--pages", "3"]
    assert bench.main(words) == 0
    told = capsys.readouterr().out
    for way in ("dense", "owned", "crossed", "reader"):
        assert f"{way}.all.pages" in told
    assert bench.main(["reader", "--store", "nowhere"]) == 2
