"""DINO's loss and centre against plain loops and against lightly's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightly.loss.dino_loss import DINOLoss as LightlyLoss

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.systems.ssl.self_distillation import DINOLoss


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


def plain(teacher, student, centre, *, t=0.04, s=0.1) -> float:
    """Views, records and prototypes one by one, in float64."""
    terms = []
    for q in range(len(teacher)):
        for v in range(len(student)):
            if v == q:
                continue
            for b in range(teacher.shape[1]):
                asked = softmax((teacher[q, b] - centre) / t)
                given_ = softmax(student[v, b] / s)
                terms.append(-sum(asked[d] * np.log(given_[d]) for d in range(len(centre))))
    return float(np.mean(terms))


def outputs(seed: int, g: int = 2, v: int = 5, b: int = 3, d: int = 7):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((g, b, d), (v, b, d), (d,))
    return [torch.rand(*shape, generator=generator) * 2 - 1 for shape in shapes]


@given(
    st.integers(0, 2**31), st.integers(1, 3), st.integers(0, 4),
    st.floats(0.03, 1), st.floats(0.05, 1),
)  # fmt: skip
def test_equals_the_plain_loop(seed, g, more, t, s):
    teacher, student, centre = outputs(seed, g, max(2, g + more))
    loss = DINOLoss(7, teacher_temperature=t, student_temperature=s)
    loss.centre.copy_(centre)
    expected = plain(teacher.double().numpy(), student.double().numpy(), centre.numpy(), t=t, s=s)
    assert float(loss(teacher, student)) == pytest.approx(expected, rel=1e-4)


def theirs_of(ours: DINOLoss) -> LightlyLoss:
    """lightly's loss with the settings and the centre of ours."""
    theirs = LightlyLoss(
        len(ours.centre), teacher_temp=ours.teacher_temperature,
        student_temp=ours.student_temperature, center_momentum=ours.centre_momentum,
    )  # fmt: skip
    theirs.center.copy_(ours.centre)
    return theirs


@pytest.mark.parametrize(("views", "more"), [(2, 3), (2, 0), (1, 1)])
def test_loss_gradient_and_centre_are_those_of_lightly(views, more):
    """In training mode and float32, over several batches, so that the centre counts."""
    ours = DINOLoss(7, teacher_temperature=0.07, student_temperature=0.2, centre_momentum=0.6)
    theirs = theirs_of(ours)
    for seed in range(4):
        teacher, student, _ = outputs(seed, views, views + more)
        student.requires_grad_()
        mine, other = ours(teacher, student), theirs(list(teacher), list(student))
        torch.testing.assert_close(mine, other)
        torch.testing.assert_close(*(torch.autograd.grad(x, student)[0] for x in (mine, other)))
        torch.testing.assert_close(ours.centre, theirs.center.flatten())
    assert ours.centre.abs().max() > 0.05


def test_the_centre_rests_in_evaluation_where_that_of_lightly_moves():
    """The centre is the teacher's state, which validation records must not reach."""
    ours = DINOLoss(7).eval()
    theirs = theirs_of(ours).eval()
    teacher, student, _ = outputs(0)
    torch.testing.assert_close(ours(teacher, student), theirs(list(teacher), list(student)))
    assert not ours.centre.any()
    assert theirs.center.any()


def test_gradients_are_those_of_the_plain_form_and_reach_the_student_alone():
    teacher, student, centre = outputs(1)
    teacher.requires_grad_()
    student.requires_grad_()
    loss = DINOLoss(7)
    loss.centre.copy_(centre)
    loss(teacher, student).backward()
    assert teacher.grad is None
    ours, student.grad = student.grad, None
    asked = ((teacher.detach() - centre) / 0.04).softmax(-1)
    said = (student / 0.1).log_softmax(-1)
    pairs = [(q, v) for q in range(2) for v in range(5) if v != q]
    torch.stack([-(asked[q] * said[v]).sum(-1).mean() for q, v in pairs]).mean().backward()
    torch.testing.assert_close(ours, student.grad)


def test_the_centre_follows_the_true_mean_in_training_only():
    loss = DINOLoss(7)
    expected = np.zeros(7)
    for seed in range(4):
        teacher, student, _ = outputs(seed)
        loss(teacher, student)
        expected = 0.9 * expected + 0.1 * teacher.double().numpy().mean((0, 1))
        np.testing.assert_allclose(loss.centre.numpy(), expected, rtol=1e-5, atol=1e-7)
    before = loss.centre.clone()
    loss.eval()(teacher, student)
    assert torch.equal(loss.centre, before)


def test_a_constant_teacher_is_its_own_centre():
    _teacher, _student, centre = outputs(3)
    loss = DINOLoss(7, centre_momentum=0.0)
    loss.update_centre(centre.expand(2, 3, 7))
    torch.testing.assert_close(loss.centre, centre)
    asked = loss.probabilities(centre.expand(2, 3, 7))
    torch.testing.assert_close(asked, torch.full((2, 3, 7), 1 / 7))


def test_the_centre_is_saved():
    loss = DINOLoss(7)
    loss(*outputs(0)[:2])
    again = DINOLoss(7)
    again.load_state_dict(loss.state_dict())
    assert torch.equal(again.centre, loss.centre)
    assert loss.centre.any()


def test_stays_in_float32_under_mixed_precision():
    teacher, student, _ = outputs(5)
    expected = DINOLoss(7)(teacher, student)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(DINOLoss(7)(teacher, student), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ((2, 3, 7), (5, 4, 7)),
        ((2, 3, 6), (5, 3, 6)),
        ((2, 3, 7), (1, 3, 7)),
        ((1, 3, 7), (1, 3, 7)),
        ((3, 7), (3, 7)),
        ((2, 0, 7), (5, 0, 7)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(teacher, student):
    with pytest.raises(DataError, match="views"):
        DINOLoss(7)(torch.zeros(teacher), torch.zeros(student))


@pytest.mark.parametrize(
    "wrong",
    [{"student_temperature": 0.0}, {"teacher_temperature": -1.0}, {"centre_momentum": 1.0},
     {"student_temperature": float("nan")}, {"outputs": 1}],
)  # fmt: skip
def test_wrong_settings_are_named(wrong):
    with pytest.raises(ConfigError, match=f"got {next(iter(wrong.values()))}"):
        DINOLoss(**({"outputs": 7} | wrong))
