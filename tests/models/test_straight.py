"""Patches made to agree: against a weighted fit by numpy, and with patches that lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecgvision.models.straight import ROUNDS, settle, straighten


def page(angle: float = 0.02) -> torch.Tensor:
    """(1, 12, 15, 2, 2): twelve rows of a page, turned a little."""
    time = (torch.arange(16).double() / 16) * 0.9 + 0.05
    rows = (torch.arange(12).double() + 1) / 13
    x = time[None, :] - angle * (rows[:, None] - 0.5)
    y = rows[:, None] + angle * (time[None, :] - 0.5)
    points = torch.stack([x, y], dim=-1)
    return torch.stack([points[:, :-1], points[:, 1:]], dim=2)[None]


def test_what_is_straight_stays() -> None:
    ends = page()
    torch.testing.assert_close(straighten(ends, torch.ones(1, 12, 15)), ends, atol=2e-5, rtol=0)


@pytest.mark.parametrize("columns", [1, 4])
def test_noise_and_wrong_places_are_mended(columns: int) -> None:
    """Where four leads share a row, four patches of each lead are printed."""
    g = torch.Generator().manual_seed(0)
    truth = page()
    found = torch.zeros(1, 12, 15)
    for lead in range(12):
        share = 15 // columns
        first = (lead // 3) * share if columns > 1 else 0
        found[0, lead, first : first + share + (columns > 1)] = 1
    seen = truth + 0.003 * torch.randn(1, 12, 15, 1, 2, generator=g, dtype=torch.float64)
    seen[0, 2, 1] += torch.tensor([0.3, -0.4])  # the search looked at another lead
    seen = torch.where(found.bool()[..., None, None], seen, torch.rand(1, 12, 15, 2, 2).double())
    mended = straighten(seen, found)
    shown = found.bool()
    good = shown.clone()
    good[0, 2, 1] = False
    before = (seen - truth)[good].square().mean().sqrt()
    after = (mended - truth)[shown].square().mean().sqrt()
    assert after < before / (2.5 if columns == 1 else 1.3)
    assert (mended - truth)[0, 2, 1].abs().max() < 0.006


def test_against_least_squares_of_numpy() -> None:
    """The same equations, solved by numpy with the same weights in each round."""
    rng = np.random.default_rng(0)
    leads, patches = 5, 7
    ends, found = rng.random((1, leads, patches, 2, 2)), rng.random((1, leads, patches))
    mended = straighten(torch.from_numpy(ends), torch.from_numpy(found)).numpy()[0]
    middle, prior = ends[0].mean(2), found[0] + 1e-3
    time = np.tile(np.arange(patches) - (patches - 1) / 2, (leads, 1))
    weight = prior
    one = np.eye(leads)[:, None].repeat(patches, 1)  # (leads, patches, leads)
    for _ in range(ROUNDS):
        root = np.sqrt(weight).ravel()
        design = np.concatenate([one, time[..., None]], -1).reshape(-1, leads + 1)
        fit = np.linalg.lstsq(design * root[:, None], middle[..., 1].ravel() * root, rcond=None)[0]
        lead_y = (weight * middle[..., 1]).sum(1) / weight.sum(1)
        y = (design @ fit).reshape(leads, patches)
        mean = (weight * lead_y[:, None]).sum() / weight.sum()
        columns = [np.ones_like(time), time, (lead_y - mean)[:, None].repeat(patches, 1)]
        flat = np.stack(columns, -1).reshape(-1, 3)
        normal = flat.T @ (weight.ravel()[:, None] * flat)
        normal[2, 2] += 1e-4 * weight.sum()
        x = flat @ np.linalg.solve(normal, flat.T @ (weight * middle[..., 0]).ravel())
        line = np.stack([x.reshape(leads, patches), y], -1)
        weight = prior / (1 + ((middle - line) ** 2).sum(-1) / 0.01**2)
    slope = (line[:, -1:] - line[:, :1]) / (patches - 1)
    np.testing.assert_allclose(mended[:, :, 0], line - slope / 2, atol=1e-8)
    np.testing.assert_allclose(mended[:, :, 1], line + slope / 2, atol=1e-8)


def test_a_page_where_nothing_was_found_has_lines_all_the_same() -> None:
    ends = page().float()
    assert straighten(ends, torch.zeros(1, 12, 15)).isfinite().all()
    one = ends[:, :, :1]
    torch.testing.assert_close(straighten(one, torch.ones(1, 12, 1)), one)


def test_pages_do_not_touch_one_another() -> None:
    ends, found = torch.rand(3, 12, 15, 2, 2), torch.rand(3, 12, 15)
    torch.testing.assert_close(straighten(ends, found)[1:2], straighten(ends[1:2], found[1:2]))


@pytest.mark.parametrize("off", [-0.015, 0.0, 0.015])
def test_a_line_is_settled_on_its_ridge(off: float) -> None:
    """Three rows of flat traces with spikes; lines a few pixels off come home to each."""
    rows = (0.25, 0.5, 0.75)
    ink = torch.zeros(1, 1, 200, 300)
    for row in rows:
        ink[..., int(row * 200) - 1 : int(row * 200) + 1, 15:285] = 1
        ink[..., int(row * 200) - 30 : int(row * 200), 60:270:40] = 1
    time = torch.arange(16) / 16 * 0.9 + 0.05
    points = torch.stack([time.expand(3, -1), torch.tensor(rows)[:, None].expand(-1, 16)], -1)
    ends = torch.stack([points[:, :-1], points[:, 1:]], dim=2)[None]
    moved = ends.clone()
    moved[..., 1] += off
    found = settle(moved, torch.ones(1, 3, 15), ink)
    torch.testing.assert_close(found[..., 0], ends[..., 0])
    assert (found[..., 1] - ends[..., 1]).abs().max() < max(0.004, 0.35 * abs(off))
    blank = settle(moved, torch.ones(1, 3, 15), torch.zeros_like(ink))
    torch.testing.assert_close(blank, moved, atol=1e-6, rtol=0)
