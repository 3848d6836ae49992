"""The parts of self-supervised training fit together: views, encoder, head, teacher, loss, watch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ecgvision.nn.losses.collapse import collapse
from ecgvision.systems.ssl.ema import EMATeacher
from ecgvision.systems.ssl.network import TimeEncoder
from ecgvision.systems.ssl.projection import DINOHead
from ecgvision.systems.ssl.self_distillation import DINOLoss
from ecgvision.systems.ssl.spectrogram import Spectrogram
from ecgvision.systems.ssl.views.signals import SpectrogramViews, TimeViews


def beats(records: int = 16) -> torch.Tensor:
    """(B, 12, 250) mV: spikes at 100 Hz whose rate, width and heights are each record's own."""
    rng = np.random.default_rng(0)
    t = np.arange(250) / 100
    found = []
    for _ in range(records):
        phase = (t * rng.uniform(0.8, 2)) % 1 - 0.5
        spike = np.exp(-((phase / rng.uniform(0.02, 0.08)) ** 2))
        found.append(rng.normal(0, 1, (12, 1)) * spike + 0.02 * rng.standard_normal((12, 250)))
    return torch.from_numpy(np.stack(found)).float()


class Flat(nn.Module):
    """A small network for either kind of view."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 64), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def train(kind: str, *, steps: int, rate: float, momentum: float, centred: bool = True):
    """The encoder's weights before and after, and the watch's verdict on the last views."""
    torch.manual_seed(0)
    batch, encoder = beats(), TimeEncoder("resnet1d_lite")
    views, features = TimeViews(local_views=2), encoder.features
    if kind == "spectrogram":
        batch = Spectrogram()(batch)
        batch = batch / batch.std()
        views, encoder, features = SpectrogramViews(local_views=2), Flat(12 * 13 * 21), 64
    student = nn.Sequential(encoder, DINOHead(features, 32, hidden=64, bottleneck=16))
    teacher, loss = EMATeacher(student, momentum), DINOLoss(32).train(centred)
    before = [p.detach().clone() for p in student.parameters()]
    optimizer = torch.optim.AdamW(student.parameters(), lr=rate)
    for step in range(steps):
        found = views(batch, step)
        seen = teacher.model[0](found[:2].flatten(0, 1))
        asked = teacher.model[1](seen).unflatten(0, (2, -1))
        said = student(found.flatten(0, 1)).unflatten(0, (4, -1))
        optimizer.zero_grad()
        loss(asked, said).backward()
        optimizer.step()
        teacher.update(student)
    return (
        before,
        list(student.parameters()),
        collapse(seen, loss.probabilities(asked.flatten(0, 1))),
    )


@pytest.mark.parametrize("kind", ["time", "spectrogram"])
def test_every_part_of_the_student_learns(kind):
    before, after, _ = train(kind, steps=2, rate=1e-3, momentum=0.99)
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_watch_tells_a_training_that_collapses_from_one_that_does_not():
    """A centre and a slow teacher keep prototypes in use; without either one takes all."""
    _, _, sound = train("spectrogram", steps=40, rate=5e-4, momentum=0.99)
    assert sound.verdict == "healthy"
    assert sound.used > 0.5
    _, _, broken = train("spectrogram", steps=40, rate=3e-3, momentum=0.5, centred=False)
    assert broken.verdict == "one prototype"
