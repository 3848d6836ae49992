"""Feature distillation against plain loops and against the cosine."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.losses.features import FeatureDistillation


@given(st.integers(1, 4), st.integers(1, 5), st.integers(2, 6), st.integers(0, 2**31))
def test_equals_plain_loops(batch, ours, theirs, seed):
    torch.manual_seed(seed)
    loss = FeatureDistillation(ours, theirs)
    student, teacher = torch.randn(batch, ours), torch.randn(batch, theirs)
    weight, bias = loss.project.weight.tolist(), loss.project.bias.tolist()
    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        r = [
            sum(w * x for w, x in zip(row, s, strict=True)) + b
            for row, b in zip(weight, bias, strict=True)
        ]
        length_r, length_t = math.hypot(*r), math.hypot(*t)
        total += sum((a / length_r - b / length_t) ** 2 for a, b in zip(r, t, strict=True)) / 2
    assert float(loss(student, teacher).detach()) == pytest.approx(
        total / batch, rel=1e-3, abs=1e-5
    )


def test_is_one_less_the_cosine_between_nothing_and_two():
    loss = FeatureDistillation(3, 3)
    with torch.no_grad():
        loss.project.weight.copy_(torch.eye(3))
        loss.project.bias.zero_()
    x, y = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss(x, y), 1 - torch.cosine_similarity(x, y).mean())
    torch.testing.assert_close(loss(x, 7 * x), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(loss(x, -x), torch.tensor(2.0))
    torch.testing.assert_close(loss(x, 100 * y), loss(0.01 * x, y))


def test_only_the_student_learns():
    torch.manual_seed(0)
    loss = FeatureDistillation(4, 6)
    student, teacher = torch.randn(3, 4, requires_grad=True), torch.randn(3, 6, requires_grad=True)
    loss(student, teacher).backward()
    assert student.grad.abs().sum(1).min() > 0
    assert teacher.grad is None
    assert loss.project.weight.grad.any()
    assert loss.project.bias.grad.any()


def test_a_student_learns_its_teacher():
    torch.manual_seed(0)
    seen = torch.randn(64, 5)
    teacher, loss = seen @ torch.randn(5, 8), FeatureDistillation(5, 8)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        value = loss(seen, teacher)
        value.backward()
        optimizer.step()
    assert float(value.detach()) < 0.01


def test_half_precision_around_it_makes_no_difference():
    torch.manual_seed(0)
    loss, student, teacher = FeatureDistillation(4, 6), torch.randn(3, 4), torch.randn(3, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = loss(student, teacher)
    assert torch.equal(mixed, loss(student, teacher))


@pytest.mark.parametrize(
    ("student", "teacher", "named"),
    [
        ((3, 5), (3, 6), "student"),
        ((3, 4), (2, 6), "teacher"),
        ((3, 4), (3, 6, 1), "teacher"),
        ((0, 4), (0, 6), "at least 1"),
    ],
)
def test_wrong_shapes_are_refused(student, teacher, named):
    with pytest.raises(DataError, match=named):
        FeatureDistillation(4, 6)(torch.zeros(student), torch.zeros(teacher))


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_no_features_are_refused(sizes):
    with pytest.raises(ConfigError, match="features"):
        FeatureDistillation(*sizes)
