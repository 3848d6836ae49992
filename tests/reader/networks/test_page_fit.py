"""How a page lies: against numpy's least squares, and on pages seen from the side."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecgvision.reader.networks.dense_head import BACKGROUND, Cells
from ecgvision.reader.networks.page_fit import (
    BEND_RIDGE,
    FAR,
    FLOOR,
    ROTATION_RIDGE,
    ROUNDS,
    fit_page,
)

TIME = (torch.arange(200).double() + 0.5) / 200


def page(tilt: float, *, noise: float = 0.0, votes: int = 60) -> tuple[Cells, torch.Tensor, object]:
    """Twelve rows of a page whose right edge is `tilt` farther away than its left, in perspective.

    Result: its cells, the leads they stand by (1, 12, N), and the camera, from (time, y of the
    sheet) to a point.
    """
    rng = np.random.default_rng(0)

    def camera(t, v):
        depth = 1 + tilt * (t - 0.5)
        return 0.5 + 0.85 * (t - 0.5) / depth, 0.5 + 0.9 * (v - 0.5) / depth

    lead = np.repeat(np.arange(12), votes)
    t = np.tile((np.arange(votes) + 0.5) / votes, 12)
    x, y = camera(t, (lead + 1) / 13)
    x, y, told = (v + noise * rng.standard_normal(len(v)) for v in (x, y, t))
    logits = torch.zeros(1, BACKGROUND + 1, len(t))
    named = torch.zeros(1, 12, len(t), dtype=torch.float64)
    named[0, lead, np.arange(len(t))] = 1.0
    values = (torch.from_numpy(v)[None] for v in (x, y, told))
    return Cells(logits, *values, torch.zeros(1, 1, len(t)), torch.zeros(1, len(t))), named, camera


def truth(camera) -> np.ndarray:
    return np.stack([np.stack(camera(TIME.numpy(), (i + 1) / 13), -1) for i in range(12)])


@pytest.mark.parametrize("tilt", [-0.3, -0.15, 0.15, 0.3])
def test_rows_of_a_page_seen_from_the_side_run_together(tilt: float) -> None:
    cells, leads, camera = page(tilt, noise=0.001)
    line, _ = fit_page(cells, leads, TIME)
    off = np.abs(line[0, ..., 1].numpy() - truth(camera)[..., 1])
    level = np.abs(truth(camera)[..., 1] - truth(camera)[..., 1].mean(1, keepdims=True))
    assert off.max() < 0.15 * level.max()
    assert off.max() < 0.01


def test_time_runs_evenly_though_neighbours_err_alike() -> None:
    cells, leads, _ = page(0.0)
    wave = 0.002 * torch.sin(2 * np.pi * cells.time)  # two thousandths of the page too early, late
    line, _ = fit_page(cells._replace(time=cells.time + wave), leads, TIME)
    even = line[0, 0, :, 0].diff()
    assert float(even.max() - even.min()) < 1e-9


def test_a_page_that_lies_flat_has_the_pace_that_is_told_and_no_slope() -> None:
    (flat, leads, _), (bent, _, _) = page(0.0, noise=0.001), page(0.25)
    both = Cells(*(torch.cat(pair) for pair in zip(flat, bent, strict=True)))
    leads = leads.expand(2, -1, -1)
    free, time_scale = fit_page(both, leads, TIME)
    line, told = fit_page(both, leads, TIME, torch.tensor([0.86, torch.nan]))
    torch.testing.assert_close(line[1], free[1])
    assert told.tolist() == pytest.approx([0.86, time_scale[1].item()])
    wanted = free[0, :, :, 0].mean() + 0.86 * (TIME - 0.5)
    torch.testing.assert_close(line[0, :, :, 0], wanted.expand(12, -1), atol=1e-3, rtol=0)
    level = line[0, :, :1, 1]
    torch.testing.assert_close(line[0, :, :, 1], level.expand(-1, len(TIME)))
    torch.testing.assert_close(level[:, 0], free[0, :, :, 1].mean(1), atol=1e-3, rtol=0)


def by_numpy(cells: Cells, leads: np.ndarray) -> np.ndarray:
    """The same fit by numpy's least squares, term by term."""
    x, y, t = (v[0].numpy() for v in (cells.x, cells.y, cells.time))
    prior = leads**2 + FLOOR
    weight = prior

    def fit(terms: np.ndarray, wanted: np.ndarray, least: list[float]) -> np.ndarray:
        root = np.sqrt(weight).ravel()
        design = terms.reshape(len(terms), -1).T * root[:, None]
        ridge = np.diag(np.sqrt(np.array(least) * weight.sum()))
        rows, right = np.vstack([design, ridge]), np.r_[wanted.ravel() * root, np.zeros(len(terms))]
        return np.linalg.lstsq(rows, right, rcond=None)[0]

    for turn in range(ROUNDS):
        lead_y = (weight * y).sum(1) / weight.sum(1)
        mean_t, mean_x = ((weight * v).sum() / weight.sum() for v in (t, x))
        mean_y = (weight * lead_y[:, None]).sum() / weight.sum()
        dy = (lead_y - mean_y)[:, None]

        def terms(when: np.ndarray, dy: np.ndarray = dy, mean_t: float = mean_t) -> tuple:
            dt = np.broadcast_to(when - mean_t, (12, len(when)))
            full = np.broadcast_to(dy, dt.shape)
            return np.stack([dt, dt * full, dt**2]), np.stack([dt, full])

        along, across = terms(t)
        middle = (weight * along).sum(2, keepdims=True) / weight.sum(1)[:, None]
        centre = (weight * across).sum((1, 2), keepdims=True) / weight.sum()
        slopes = fit(along - middle, y - lead_y[:, None], [0, BEND_RIDGE, BEND_RIDGE])
        time_scales = fit(across - centre, np.tile(x - mean_x, (12, 1)), [0, ROTATION_RIDGE])
        if turn + 1 < ROUNDS:
            off_x = x - mean_x - np.tensordot(time_scales, across - centre, 1)
            off_y = y - lead_y[:, None] - np.tensordot(slopes, along - middle, 1)
            weight = prior / (1 + (off_x**2 + off_y**2) / FAR**2)
    along, across = terms(TIME.numpy())
    return np.stack([mean_x + np.tensordot(time_scales, across - centre, 1),
                     lead_y[:, None] + np.tensordot(slopes, along - middle, 1)], -1)  # fmt: skip


@pytest.mark.parametrize("tilt", [0.0, 0.25])
def test_against_least_squares_of_numpy(tilt: float) -> None:
    cells, leads, _ = page(tilt, noise=0.01)
    leads = 0.9 * leads + 0.1 * leads.roll(2, 1)  # some doubt
    line, _ = fit_page(cells, leads, TIME)
    np.testing.assert_allclose(line[0].numpy(), by_numpy(cells, leads[0].numpy()), atol=1e-7)


def test_one_row_alone_says_nothing_of_a_turn() -> None:
    cells, leads, camera = page(0.0, noise=0.001)
    alone = leads * (torch.arange(12) == 1)[:, None]
    line, _ = fit_page(cells, alone, TIME)
    assert line.isfinite().all()
    off = np.abs(line[0, 1].numpy() - truth(camera)[1])
    assert off.max() < 0.002
