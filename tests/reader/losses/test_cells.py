"""The truth of cells, by a loop over cells and samples; and that right answers cost nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import one_hot

from ecgvision.data.pages import PageSettings
from ecgvision.reader.data.pages import ReadingDataset
from ecgvision.reader.losses.cells import BESIDE, LEAST, cell_losses, cell_truth
from ecgvision.reader.networks.dense_head import BACKGROUND, INVERTED, RELATIVE_GAINS, Cells
from ecgvision.reader.networks.limb_order import name_cells
from ecgvision.reader.networks.rows import find_rows
from ecgvision.reader.page_reader import PACE_TO_GAIN, PageReader
from ecgvision.store.packed import Store

SIZE, GRID = (384, 512), (24, 32)
TO_GAIN = PACE_TO_GAIN / 10 * SIZE[1] / SIZE[0]


def page(store, layout: str, **given) -> dict[str, torch.Tensor]:
    mix = PageSettings(layouts=(layout,), image_size=SIZE, style="kit", dpi=60, **given)
    item = ReadingDataset([Store(store)], mix, train=False)[(0, 3)]
    return {k: v[None] if torch.is_tensor(v) else v for k, v in item.items()}


@pytest.mark.parametrize("layout", ["3x4+II", "12x1:cabrera"])
def test_truth_by_loop(tiny_store, layout: str) -> None:
    item = page(tiny_store, layout)
    truth = cell_truth(item["place"], item["voltage_scale"], GRID, to_gain=TO_GAIN)
    place = item["place"][0].double()
    x, y = place[..., 0] * GRID[1], place[..., 1] * GRID[0]
    named = 0
    for r in range(GRID[0]):
        for c in range(GRID[1]):
            best = (math.inf, BACKGROUND, 0.0, 0.0)
            for lead in range(12):
                inside = (x[lead] >= c) & (x[lead] < c + 1)
                if int(inside.sum()) < LEAST:
                    continue
                middle = y[lead][inside].mean().item()
                if abs(middle - r - 0.5) < best[0]:
                    when = (inside.nonzero()[:, 0].double() + 0.5).mean().item() / 1000
                    best = (abs(middle - r - 0.5), lead, middle, when)
            n = r * GRID[1] + c
            if best[0] >= BESIDE:
                assert truth.answer[0, n] == BACKGROUND
                assert not truth.near[0, n]
                continue
            named += 1
            lead = best[1]
            turned = lead == 3 and "cabrera" in layout
            assert truth.answer[0, n] == (INVERTED if turned else lead)
            assert truth.y[0, n].item() * GRID[0] == pytest.approx(best[2], abs=1e-3)
            assert truth.time[0, n].item() == pytest.approx(best[3], abs=1e-5)
            assert RELATIVE_GAINS[int(truth.gain[0, n])] == 1.0  # 10 mm/mV over 25 mm/s
            assert abs(truth.stretch[0, n].item()) < 0.02
    assert named > 100


def answers(truth) -> Cells:
    logits = torch.full((1, BACKGROUND + 1, truth.x.shape[1]), -30.0)
    gain = 60 * one_hot(truth.gain, len(RELATIVE_GAINS)).mT.float()
    return Cells(logits.scatter(1, truth.answer[:, None], 30.0), *truth[1:4], gain, truth.stretch)


def test_the_right_answers_cost_nothing_and_find_the_rows(tiny_store) -> None:
    for layout in ("3x4+II", "6x2", "12x1:cabrera"):
        item = page(tiny_store, layout)
        truth = cell_truth(item["place"], item["voltage_scale"], GRID, to_gain=TO_GAIN)
        cells = answers(truth)
        parts = cell_losses(cells, truth, GRID)
        assert set(parts) == {"lead", "place", "time", "gain"}
        assert all(v.item() < 1e-5 for v in parts.values())
        rows = find_rows(cells, name_cells(cells).leads, GRID, item["image"], 1000, 10.0)
        printed = item["printed"][0]
        off = (rows.points[0] - item["place"][0])[printed]
        assert off.abs().quantile(0.95) < 0.0015
        assert ((rows.presence[0] > 0.5) == printed).float().mean() > 0.98


def test_a_moment_is_wanted_as_exactly_as_the_place_that_it_stands_for(tiny_store) -> None:
    item = page(tiny_store, "12x1")
    truth = cell_truth(item["place"], item["voltage_scale"], GRID, to_gain=TO_GAIN)
    right = answers(truth)
    for cells in (0.01, 0.1, 1.0):  # how far off, in cells' widths
        off = cells / GRID[1]
        aside = cell_losses(right._replace(x=right.x + off), truth, GRID)["place"]
        late = cell_losses(right._replace(time=right.time + off), truth, GRID)["time"]
        assert late.item() == pytest.approx(aside.item(), rel=1e-3)


@pytest.mark.parametrize(("scale", "wanted"), [
    ({"gain": 5.0}, 0.5), ({"gain": 20.0}, 2.0), ({"gain": 5.0, "speed": 50.0}, 0.25),
    ({"gain": 20.0, "speed": 50.0}, 1.0), ({"gain": 7.0}, 0.7),
])  # fmt: skip
def test_any_gain_is_seen(tiny_store, scale: dict[str, float], wanted: float) -> None:
    """One of the usual gains, and by how much more than that a page is stretched."""
    item = page(tiny_store, "3x4", **scale)
    truth = cell_truth(item["place"], item["voltage_scale"], GRID, to_gain=TO_GAIN)
    nearest = min(
        range(len(RELATIVE_GAINS)), key=lambda i: abs(math.log(RELATIVE_GAINS[i] / wanted))
    )
    assert (truth.gain[truth.near] == nearest).all()
    stretch = truth.stretch[truth.near].mean().item()
    assert stretch == pytest.approx(math.log(wanted / RELATIVE_GAINS[nearest]), abs=0.01)
    model = PageReader("readnet", SIZE, width=16)
    cells = answers(truth)
    _, voltage_scale, sure = model.rows(cells, name_cells(cells).leads, item["image"])
    torch.testing.assert_close(
        voltage_scale[0], item["voltage_scale"][0, ..., 1].nanmedian(), rtol=0.02, atol=0
    )
    assert sure[0, nearest] > 0.99


def test_an_empty_page_asks_for_nothing(tiny_store) -> None:
    item = page(tiny_store, "3x4")
    empty = torch.full_like(item["place"], math.nan)
    truth = cell_truth(empty, empty, GRID, to_gain=TO_GAIN)
    assert (truth.answer == BACKGROUND).all()
    parts = cell_losses(answers(truth), truth, GRID)
    assert [parts[k].item() for k in ("place", "time", "gain")] == [0.0] * 3
