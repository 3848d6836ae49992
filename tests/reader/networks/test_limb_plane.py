"""Limb leads in their plane, against numpy's weighted least squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.limb_leads import LIMB_FROM_I_II
from ecgvision.reader.networks.limb_plane import project_to_plane

LENGTH = 40


def leads(seed: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, 12, T) mV as printed, and the same as read with an error of `noise` mV."""
    rng = np.random.default_rng(seed)
    chest = rng.normal(size=(6, LENGTH))
    true = np.concatenate([LIMB_FROM_I_II @ rng.normal(size=(2, LENGTH)), chest])[None]
    read = true + noise * rng.standard_normal(true.shape)
    return torch.tensor(true), torch.tensor(read)


@given(st.integers(0, 10**6), st.sets(st.integers(0, 5), min_size=3))
def test_it_is_the_weighted_fit_of_two_leads(seed: int, shown: set[int]) -> None:
    _, read = leads(seed, 0.05)
    printed = torch.zeros_like(read, dtype=torch.bool)
    printed[:, sorted(shown)] = True
    scale = torch.tensor(np.random.default_rng(seed + 1).uniform(-4, -2, read.shape))
    given_back = project_to_plane(read, scale, printed)
    for t in range(0, LENGTH, 7):
        rows = sorted(shown)
        root = np.exp(-0.5 * scale[0, rows, t].numpy())[:, None]
        wanted = np.linalg.lstsq(
            root * LIMB_FROM_I_II[rows], root[:, 0] * read[0, rows, t].numpy()
        )[0]
        np.testing.assert_allclose(given_back[0, rows, t], LIMB_FROM_I_II[rows] @ wanted, atol=1e-6)
    torch.testing.assert_close(given_back[:, 6:], read[:, 6:])
    absent = [lead for lead in range(6) if lead not in shown]
    torch.testing.assert_close(given_back[:, absent], read[:, absent])


def test_six_readings_of_two_leads_leave_a_third_of_the_error() -> None:
    true, read = leads(0, 0.05)
    back = project_to_plane(read, torch.zeros_like(read), torch.ones_like(read, dtype=torch.bool))
    before, after = ((part - true)[:, :6].square().mean() for part in (read, back))
    assert float(after / before) == pytest.approx(1 / 3, abs=0.08)


def test_a_lead_that_says_it_may_be_wrong_is_outvoted() -> None:
    true, read = leads(1, 0.0)
    read[:, 4, 10:20] += 2.0
    scale = torch.full_like(read, -3.0)
    scale[:, 4, 10:20] = 1.0
    back = project_to_plane(read, scale, torch.ones_like(read, dtype=torch.bool))
    assert float((back - true).abs().max()) < 0.05


def test_two_leads_and_pages_that_break_the_law_stay_as_they_were_read() -> None:
    true, read = leads(2, 0.1)
    printed = torch.ones_like(read, dtype=torch.bool)
    two = printed.clone()
    two[:, 2:6] = False
    scale = torch.zeros_like(read)
    torch.testing.assert_close(project_to_plane(read, scale, two), read)
    later = true.clone()  # rows that were recorded one after another
    later[:, :6] = torch.stack([true[:, lead].roll(5 * lead, dims=-1) for lead in range(6)], dim=1)
    both = project_to_plane(
        torch.cat([later, read]), scale.expand(2, -1, -1), printed.expand(2, -1, -1)
    )
    torch.testing.assert_close(both[:1], later)
    assert float((both[1:] - read).abs().max()) > 0.01


def test_nothing_printed_is_nothing_changed_and_gradients_are_finite() -> None:
    _, read = leads(3, 0.1)
    nothing = torch.zeros_like(read, dtype=torch.bool)
    torch.testing.assert_close(project_to_plane(read, torch.zeros_like(read), nothing), read)
    read = read.requires_grad_()
    project_to_plane(read, torch.zeros_like(read), ~nothing).square().sum().backward()
    assert read.grad is not None
    assert read.grad.isfinite().all()
