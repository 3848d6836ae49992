"""Least squares and elimination, against numpy."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.reader.rectify.least_squares import cramer, least_squares, solve


@given(size=st.integers(1, 9), seed=st.integers(0, 2**16))
def test_solve_against_numpy(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((3, size, size + 2))
    matrix = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(size)
    right = rng.standard_normal((3, size))
    found = solve(torch.from_numpy(matrix), torch.from_numpy(right)).numpy()
    wanted = np.linalg.solve(matrix, right[..., None])[..., 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)


@given(size=st.integers(1, 9), seed=st.integers(0, 2**16))
def test_cramers_rule_against_numpy(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((3, size, 2 * size + 2))
    matrix = root @ root.transpose(0, 2, 1)
    scale = 1 / np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))
    matrix = scale[:, :, None] * matrix * scale[:, None]
    right = rng.standard_normal((3, size))
    found = cramer(torch.from_numpy(matrix), torch.from_numpy(right)).numpy()
    wanted = np.linalg.solve(matrix, right[..., None])[..., 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)


def test_it_can_be_learned_through() -> None:
    """Where an answer is 0, and where nothing is known, too."""
    matrix = torch.tensor([[[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]]).double()
    matrix.requires_grad_()
    right = torch.tensor([[1.0, 0.25, 0.0]]).double().requires_grad_()
    found = solve(matrix, right)
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.0, 0.0]]).double())
    found.sum().backward()
    wanted = torch.linalg.inv(matrix[0, :2, :2].detach()).sum(0)
    torch.testing.assert_close(right.grad[0, :2], wanted)
    assert matrix.grad.isfinite().all()


def test_what_nothing_is_known_of_is_0() -> None:
    matrix = torch.diag_embed(torch.tensor([[4.0, 0.0, 2.0], [0.0, 0.0, 0.0]]).double())
    found = solve(matrix, torch.tensor([[8.0, 0.0, 1.0], [0.0, 0.0, 0.0]]).double())
    torch.testing.assert_close(found, torch.tensor([[2.0, 0.0, 0.5], [0.0, 0.0, 0.0]]).double())


@given(terms=st.integers(1, 5), seed=st.integers(0, 2**16))
def test_least_squares_against_numpy(terms: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    design, wanted = rng.standard_normal((2, terms, 30)), rng.standard_normal((2, 30))
    weight, ridge = rng.uniform(0.1, 2, (2, 30)), rng.uniform(0, 0.1, terms)
    given = (torch.from_numpy(v) for v in (design, wanted, weight, ridge))
    found = least_squares(*given).numpy()
    for i in range(2):
        root = np.sqrt(weight[i])
        held = np.diag(np.sqrt(ridge * weight[i].sum()))
        rows = np.vstack([design[i].T * root[:, None], held])
        right = np.r_[wanted[i] * root, np.zeros(terms)]
        best = np.linalg.lstsq(rows, right, rcond=None)[0]
        np.testing.assert_allclose(found[i], best, rtol=1e-6, atol=1e-9)
