"""Rows from the votes of cells: exact where the votes are, and with votes that lie."""

from __future__ import annotations

import pytest
import torch

from ecgvision.reader.networks.dense_head import BACKGROUND, Cells
from ecgvision.reader.networks.limb_order import name_cells
from ecgvision.reader.networks.rows import Rows, find_rows

GRID = (24, 32)
LENGTH = 200


def page(angle: float = 0.0, *, bend: float = 0.0, columns: int = 1) -> tuple[Cells, torch.Tensor]:
    """A page of twelve rows, or of three with four leads each, turned by `angle` and bent.

    Every cell whose middle is near a row is the lead's. Result: the cells, and where each lead's
    samples are, (12, LENGTH, 2), NaN where not printed.
    """
    time = (torch.arange(LENGTH).double() + 0.5) / LENGTH
    count = 12 // columns
    truth = torch.full((12, LENGTH, 2), float("nan"), dtype=torch.float64)
    for lead in range(12):
        row, column = lead % count, lead // count
        y0 = (row + 1) / (count + 1)
        x = 0.05 + 0.9 * time - angle * (y0 - 0.5)
        y = y0 + angle * (x - 0.5) + bend * (x - 0.5) ** 2
        shown = (time >= column / columns) & (time < (column + 1) / columns)
        truth[lead, shown] = torch.stack([x, y], -1)[shown]
    rows, cols = GRID
    middle_y, middle_x = torch.meshgrid(
        (torch.arange(rows).double() + 0.5) / rows, (torch.arange(cols).double() + 0.5) / cols,
        indexing="ij",
    )  # fmt: skip
    logits = torch.full((BACKGROUND + 1, rows * cols), -12.0, dtype=torch.float64)
    logits[BACKGROUND] = 0
    x, y, when = middle_x.flatten().clone(), middle_y.flatten().clone(), torch.zeros(rows * cols)
    when = when.double()
    for n in range(rows * cols):
        gap = (truth[..., 0] - middle_x.flatten()[n]).abs()
        gap = torch.where(gap.isnan(), torch.inf, gap)
        sample = gap.argmin(1)
        off = (truth[torch.arange(12), sample, 1] - middle_y.flatten()[n]).abs()
        off = torch.where(gap.amin(1) < 0.5 / cols, off, torch.inf)
        lead = int(off.argmin())
        if off[lead] < 1.2 / rows:
            logits[:, n], logits[lead, n] = -12.0, 0.0
            x[n], y[n] = truth[lead, sample[lead]]
            when[n] = time[sample[lead]]
    cells = Cells(*(v[None].float() for v in (logits, x, y, when, torch.zeros(1, len(x)),
                                              torch.zeros_like(x))))  # fmt: skip
    return cells, truth.float()


def found(cells: Cells) -> Rows:
    blank = torch.full((len(cells.x), 3, 384, 512), 230, dtype=torch.uint8)
    return find_rows(cells, name_cells(cells).leads, GRID, blank, LENGTH, 10.0)


def miss(points: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    shown = ~truth.isnan().any(-1)
    return (points[0] - truth)[shown].norm(dim=-1)


@pytest.mark.parametrize("columns", [1, 4])
@pytest.mark.parametrize("angle", [0.0, 0.02])
def test_rows_are_found(angle: float, columns: int) -> None:
    cells, truth = page(angle, columns=columns)
    rows = found(cells)
    assert miss(rows.points, truth).max() < 0.002
    assert rows.time_scale.item() == pytest.approx(0.9, abs=0.01)
    shown = ~truth.isnan().any(-1)
    assert ((rows.presence[0] > 0.5) == shown).float().mean() > 0.97


@pytest.mark.parametrize("columns", [1, 4])
def test_cells_that_lie_do_not_pull_the_others(columns: int) -> None:
    cells, truth = page(0.01, columns=columns)
    g = torch.Generator().manual_seed(0)
    noise = 0.003 * torch.randn(2, *cells.x.shape, generator=g)
    named = cells.logits.argmax(1) < BACKGROUND
    liars = named & (torch.rand(cells.x.shape, generator=g) < 0.15)
    wild = torch.rand(3, *cells.x.shape, generator=g)
    logits = torch.where(liars[:, None], cells.logits.roll(3, 1), cells.logits)
    wrong = Cells(
        logits, torch.where(liars, wild[0], cells.x + noise[0]),
        torch.where(liars, wild[1], cells.y + noise[1]),
        torch.where(liars, wild[2], cells.time), cells.gain, cells.stretch,
    )  # fmt: skip
    rows = found(wrong)
    assert miss(rows.points, truth).median() < 0.0025
    assert miss(rows.points, truth).quantile(0.95) < 0.006


def test_what_bends_is_followed() -> None:
    cells, truth = page(bend=0.04)
    assert miss(found(cells).points, truth).max() < 0.003


def test_a_page_of_which_nothing_is_known_has_rows_all_the_same() -> None:
    cells, _ = page()
    empty = torch.full_like(cells.logits, -30.0)
    empty[:, BACKGROUND] = 30.0
    rows = found(cells._replace(logits=empty))
    assert rows.points.isfinite().all()
    assert rows.presence.max() < 0.01


def test_pages_do_not_touch_one_another() -> None:
    (a, _), (b, _) = page(0.02), page(columns=4)
    both = Cells(*(torch.cat(pair) for pair in zip(a, b, strict=True)))
    together, alone = found(both), found(b)
    torch.testing.assert_close(together.points[1:], alone.points)
