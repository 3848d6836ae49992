"""NT-Xent and BYOL's regression against plain loops and lightly's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightly.loss.negative_cosine_similarity import NegativeCosineSimilarity
from lightly.loss.ntx_ent_loss import NTXentLoss

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.systems.ssl.ntxent import byol, ntxent


def plain_ntxent(first: np.ndarray, second: np.ndarray, temperature: float) -> float:
    everyone = [x / np.linalg.norm(x) for x in (*first, *second)]
    n, terms = len(first), []
    for i, x in enumerate(everyone):
        partner = (i + n) % (2 * n)
        others = [math.exp(x @ y / temperature) for j, y in enumerate(everyone) if j != i]
        terms.append(-math.log(math.exp(x @ everyone[partner] / temperature) / sum(others)))
    return sum(terms) / len(terms)


def pair(seed: int, batch: int = 4, size: int = 6) -> torch.Tensor:
    return torch.randn(2, batch, size, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 2**31), st.integers(2, 6), st.floats(0.05, 2))
def test_ntxent_equals_the_plain_loop(seed, batch, temperature):
    first, second = pair(seed, batch)
    expected = plain_ntxent(first.double().numpy(), second.double().numpy(), temperature)
    ours = float(ntxent(first, second, temperature=temperature))
    assert ours == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("batch", [2, 9])
def test_ntxent_and_its_gradient_are_those_of_lightly(batch, temperature):
    views = pair(11, batch).requires_grad_()
    ours = ntxent(*views, temperature=temperature)
    theirs = NTXentLoss(temperature=temperature)(*views)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(x, views)[0] for x in (ours, theirs)))


def test_byol_is_lightlys_similarity_as_the_distance_of_the_paper():
    """lightly has the negative cosine; the paper's squared distance of unit vectors is 2 - 2 cos."""
    predictions, targets = pair(12).requires_grad_(), pair(13)
    ours = byol(tuple(predictions), tuple(targets))
    negative = NegativeCosineSimilarity()
    theirs = negative(predictions[0], targets[1]) + negative(predictions[1], targets[0])
    torch.testing.assert_close(ours, 4 + 2 * theirs)
    gradients = [torch.autograd.grad(x, predictions)[0] for x in (ours, theirs)]
    torch.testing.assert_close(gradients[0], 2 * gradients[1])


def test_ntxent_of_views_without_any_likeness():
    """Orthogonal vectors: every one of 2 B - 1 others is as likely; equal views: as near as can be."""
    eye = torch.eye(8)
    assert float(ntxent(eye[:4], eye[4:])) == pytest.approx(math.log(7))
    near = float(ntxent(eye[:4], eye[:4], temperature=0.5))
    assert near == pytest.approx(math.log(1 + 6 * math.exp(-2)))


def test_both_views_learn():
    first, second = pair(0)
    first.requires_grad_()
    second.requires_grad_()
    ntxent(first, second).backward()
    assert first.grad.abs().sum() > 0
    assert second.grad.abs().sum() > 0
    # the loss sees directions only
    assert float((first.grad * first).detach().sum().abs()) < 1e-5


def test_byol_equals_the_plain_loop_and_targets_do_not_learn():
    (p1, p2), (t1, t2) = pair(1).requires_grad_(), pair(2).requires_grad_()
    loss = byol((p1, p2), (t1, t2))
    expected = 0.0
    for p, t in ((p1, t2), (p2, t1)):
        for a, b in zip(p.detach().numpy(), t.detach().numpy(), strict=True):
            difference = a / np.linalg.norm(a) - b / np.linalg.norm(b)
            expected += float((difference**2).sum()) / len(p)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    learn = torch.autograd.grad(loss, (p1, p2, t1, t2), allow_unused=True)
    assert [g is not None for g in learn] == [True, True, False, False]


def test_byol_is_0_for_views_that_agree_and_8_for_opposite_ones():
    p1, p2 = pair(3)
    assert float(byol((p1, p2), (2 * p2, 3 * p1))) == pytest.approx(0, abs=1e-5)
    assert float(byol((p1, p2), (-p2, -p1))) == pytest.approx(8)


def test_both_stay_in_float32_under_mixed_precision():
    first, second = pair(4)
    expected = ntxent(first, second), byol((first, second), (second, first))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(ntxent(first, second), expected[0], rtol=1e-6, atol=0)
        both = byol((first, second), (second, first))
    torch.testing.assert_close(both, expected[1], rtol=1e-6, atol=1e-7)


def test_wrong_input_is_refused():
    with pytest.raises(DataError, match=r"\(B, D\)"):
        ntxent(torch.zeros(2, 3), torch.zeros(3, 3))
    with pytest.raises(DataError, match=r"\(B, D\)"):
        byol((torch.zeros(2, 3), torch.zeros(2, 3)), (torch.zeros(2, 3), torch.zeros(2, 4)))
    with pytest.raises(DataError, match="two records"):
        ntxent(torch.ones(1, 3), torch.ones(1, 3))
    with pytest.raises(ConfigError, match="got 0"):
        ntxent(torch.ones(2, 3), torch.ones(2, 3), temperature=0)
