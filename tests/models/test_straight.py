"""Patches made to agree: against a weighted fit by numpy, and with patches that lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecgvision.models.straight import ROUNDS, straighten


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
    torch.testing.assert_close(straighten(ends, torch.ones(1, 12, 15)), ends)


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


def test_against_a_weighted_fit_of_numpy() -> None:
    """One lead alone: numpy's polyfit with the same weights in each round."""
    rng = np.random.default_rng(0)
    ends, found = rng.random((1, 1, 15, 2, 2)), rng.random((1, 1, 15))
    mended = straighten(torch.from_numpy(ends), torch.from_numpy(found)).numpy()[0, 0]
    middle, prior = ends[0, 0].mean(1), found[0, 0] + 1e-3
    time, weight = np.arange(15.0), prior
    for _ in range(ROUNDS):
        fits = [np.polyfit(time, middle[:, k], 1, w=np.sqrt(weight)) for k in range(2)]
        line = np.stack([np.polyval(f, time) for f in fits], axis=1)
        weight = prior / (1 + ((middle - line) ** 2).sum(1) / 0.01**2)
    slope = np.array([f[0] for f in fits])
    np.testing.assert_allclose(mended[:, 0], line - slope / 2, atol=1e-9)
    np.testing.assert_allclose(mended[:, 1], line + slope / 2, atol=1e-9)


def test_a_page_where_nothing_was_found_has_lines_all_the_same() -> None:
    ends = page().float()
    assert straighten(ends, torch.zeros(1, 12, 15)).isfinite().all()
    one = ends[:, :, :1]
    torch.testing.assert_close(straighten(one, torch.ones(1, 12, 1)), one)


def test_pages_do_not_touch_one_another() -> None:
    ends, found = torch.rand(3, 12, 15, 2, 2), torch.rand(3, 12, 15)
    torch.testing.assert_close(straighten(ends, found)[1:2], straighten(ends[1:2], found[1:2]))
