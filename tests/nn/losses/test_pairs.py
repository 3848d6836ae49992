"""Distillation between named streams: who learns, how much, and which names are refused."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError
from ecgvision.nn.losses.distillation import bernoulli_kl
from ecgvision.nn.losses.pairs import Distillation, mutual

STREAMS = ("image", "signal", "teacher")


@pytest.mark.parametrize(
    ("weights", "learning"),
    [
        (mutual(1.0, "symmetric"), {"image", "signal"}),
        (mutual(1.0, "signal_to_image"), {"image"}),
        (mutual(1.0, "image_to_signal"), {"signal"}),
        ({"teacher_to_image": 0.5, "signal_to_image": 1.0}, {"image"}),
        ({"teacher_to_image": 0.0}, set()),
    ],
)
@pytest.mark.parametrize("kind", ["bernoulli", "mse"])
def test_only_students_get_gradients(weights, learning, kind):
    logits = {s: torch.full((2, 3), float(i), requires_grad=True) for i, s in enumerate(STREAMS)}
    parts = Distillation(weights, kind=kind, streams=STREAMS)(logits)
    if parts:
        sum(parts.values()).backward()
    found = {s for s, z in logits.items() if z.grad is not None and bool(z.grad.any())}
    assert found == learning


def test_parts_are_weighted_and_named_by_pair():
    torch.manual_seed(0)
    logits = {stream: torch.randn(4, 3) for stream in STREAMS}
    weights = {"teacher_to_image": 0.25, "image_to_signal": 2.0}
    parts = Distillation(weights, temperature=3.0, reduction="sum", streams=STREAMS)(logits)
    assert list(parts) == ["kd_teacher_to_image", "kd_image_to_signal"]
    one, two = (
        bernoulli_kl(logits[t], logits[s], temperature=3.0, reduction="sum")
        for t, s in (("teacher", "image"), ("image", "signal"))
    )
    torch.testing.assert_close(parts["kd_teacher_to_image"], 0.25 * one)
    torch.testing.assert_close(parts["kd_image_to_signal"], 2.0 * two)
    mse = Distillation(weights, kind="mse", streams=STREAMS)(logits)["kd_teacher_to_image"]
    torch.testing.assert_close(mse, 0.25 * F.mse_loss(logits["image"], logits["teacher"]))


def test_symmetric_is_the_mean_of_both_directions():
    torch.manual_seed(0)
    logits = {stream: torch.randn(4, 3) for stream in STREAMS}
    both, up, down = (
        sum(Distillation(mutual(1.0, d), streams=STREAMS)(logits).values())
        for d in ("symmetric", "signal_to_image", "image_to_signal")
    )
    torch.testing.assert_close(both, (up + down) / 2)


@pytest.mark.parametrize(
    ("weights", "settings", "named"),
    [
        ({"teacher_to_watch": 1.0}, {}, "teacher_to_watch"),
        ({"image_to_image": 1.0}, {}, "image_to_image"),
        ({"image": 1.0}, {}, "image"),
        ({"image_to_signal": -1.0}, {}, "-1"),
        ({}, {"kind": "cosine"}, "cosine"),
        ({}, {"temperature": 0.0}, "0.0"),
        ({}, {"reduction": "max"}, "max"),
    ],
)
def test_wrong_choices_are_named(weights, settings, named):
    with pytest.raises(ConfigError, match=named):
        Distillation(weights, streams=STREAMS, **settings)


def test_a_direction_that_is_none_is_named():
    with pytest.raises(ConfigError, match="sideways"):
        mutual(1.0, "sideways")
