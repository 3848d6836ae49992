"""Token distillation against a loop over tokens."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ecgvision.core.errors import DataError
from ecgvision.nn.losses.tokens import TokenDistillation


def test_against_a_loop() -> None:
    torch.manual_seed(0)
    loss = TokenDistillation(6, 4)
    student, teacher = torch.randn(3, 5, 6, requires_grad=True), torch.randn(3, 5, 4)
    counts = torch.rand(3, 5) < 0.5
    wanted = [
        1 - F.cosine_similarity(loss.compare.project(student[i, j]), teacher[i, j], dim=0)
        for i in range(3) for j in range(5) if counts[i, j]
    ]  # fmt: skip
    found = loss(student, teacher, counts)
    torch.testing.assert_close(found, torch.stack(wanted).mean())
    found.backward()
    assert torch.equal(student.grad.any(-1), counts)


def test_a_copy_has_nothing_to_learn() -> None:
    tokens = torch.randn(2, 3, 8)
    loss = TokenDistillation(8, 8)
    found = loss(tokens, tokens, torch.ones(2, 3, dtype=torch.bool))
    assert found.item() == pytest.approx(0, abs=1e-6)


def test_no_token_costs_nothing_and_can_be_stepped() -> None:
    student = torch.randn(2, 3, 4, requires_grad=True)
    found = TokenDistillation(4, 4)(student, torch.randn(2, 3, 4), torch.zeros(2, 3).bool())
    found.backward()
    assert found == 0
    assert not student.grad.any()


def test_other_patches_are_refused() -> None:
    with pytest.raises(DataError, match="as many"):
        TokenDistillation(4, 4)(torch.randn(2, 3, 4), torch.randn(2, 5, 4), torch.ones(2, 3).bool())
