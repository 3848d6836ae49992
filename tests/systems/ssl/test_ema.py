"""The averaging teacher: exact, as lightly's, without gradient, apart from its student."""

from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightly.models.utils import update_momentum
from lightly.utils.scheduler import cosine_schedule
from torch import nn

from ecgvision.core.errors import ConfigError
from ecgvision.systems.ssl.ema import EMATeacher, cosine_momentum


def student(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()


def change(module: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype))
            else:
                tensor += 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_updates_are_exact(momenta):
    net = student()
    teacher = EMATeacher(net)
    expected = [p.detach().clone() for p in net.parameters()]
    for i, m in enumerate(momenta):
        change(net, i)
        teacher.update(net, m)
        expected = [m * t + (1 - m) * s for t, s in zip(expected, net.parameters(), strict=True)]
        for ours, right in zip(teacher.model.parameters(), expected, strict=True):
            torch.testing.assert_close(ours, right.detach(), rtol=1e-14, atol=1e-15,
                                       check_dtype=False)  # fmt: skip
        for ours, right in zip(teacher.model.buffers(), net.buffers(), strict=True):
            assert torch.equal(ours, right)


def test_parameters_follow_as_with_lightly_and_buffers_too():
    """lightly leaves the buffers; ours takes the student's, so that both standardise alike in evaluation."""
    net = student()
    ours, theirs = EMATeacher(net), copy.deepcopy(net)
    for i, m in enumerate((0.9, 0.5, 0.996)):
        change(net, i)
        ours.update(net, m)
        update_momentum(net, theirs, m)
    for mine, other in zip(ours.model.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)
    assert torch.equal(ours.model[1].running_mean, net[1].running_mean)
    assert torch.equal(theirs[1].running_mean, student()[1].running_mean)


def test_the_default_momentum_is_the_published_one():
    net = student()
    teacher = EMATeacher(net)
    start = net[0].weight.detach().clone()
    change(net, 1)
    teacher.update(net)
    torch.testing.assert_close(
        teacher.model[0].weight.detach(), 0.996 * start + 0.004 * net[0].weight.detach()
    )


def test_no_gradient_reaches_or_leaves_the_teacher():
    net = student()
    teacher = EMATeacher(net)
    assert not any(p.requires_grad for p in teacher.parameters())
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert not teacher(x).requires_grad
    net(x).sum().backward()
    teacher.update(net, 0.5)
    assert all(p.grad is None and p.grad_fn is None for p in teacher.parameters())
    assert all(p.requires_grad for p in net.parameters())


def test_the_student_may_change_without_the_teacher():
    net = student()
    teacher = EMATeacher(net).eval()
    x = torch.randn(5, 3, dtype=torch.float64)
    before = teacher(x)
    assert torch.equal(before, net.eval()(x))
    change(net, 3)
    assert torch.equal(teacher(x), before)


def test_another_student_is_refused_and_nothing_changes():
    teacher = EMATeacher(student())
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)).double()
    before = [p.clone() for p in teacher.parameters()]
    with pytest.raises(ConfigError, match=r"built differently.*2\.bias"):
        teacher.update(other)
    assert all(torch.equal(a, b) for a, b in zip(before, teacher.parameters(), strict=True))


def test_the_schedule_is_half_a_cosine():
    values = [cosine_momentum(step, 100) for step in range(101)]
    assert values[0] == pytest.approx(0.996)
    assert values[50] == pytest.approx(0.998)
    assert values[25] == pytest.approx(1 - 0.004 * (1 + math.cos(math.pi / 4)) / 2)
    assert values[100] == cosine_momentum(500, 100) == 1.0
    assert all(a < b for a, b in itertools.pairwise(values))
    assert cosine_momentum(37, 100, base=0.9, final=0.9) == 0.9


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_the_schedule_is_that_of_lightly_a_step_later(steps):
    """lightly reaches the end at its last step but one; in the paper it is reached after `steps`."""
    for step in range(steps + 1):
        theirs = cosine_schedule(step, steps + 1, start_value=0.9, end_value=1.0)
        assert cosine_momentum(step, steps, base=0.9) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_wrong_momenta_are_refused(wrong):
    with pytest.raises(ConfigError, match="momentum"):
        EMATeacher(student(), wrong)
    with pytest.raises(ConfigError, match="momentum"):
        EMATeacher(student()).update(student(), wrong)
    with pytest.raises(ConfigError, match="momentum"):
        cosine_momentum(0, 1, base=wrong)
    with pytest.raises(ConfigError, match="steps"):
        cosine_momentum(0, 0)
