"""The pointing game on synthetic records: an explanation finds premature beats, whose place is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from data_prep.synthetic.patients import draw_patient
from data_prep.synthetic.records import record
from ecgvision.interpret.checks import points_at, randomised, similarity
from ecgvision.interpret.occlusion import occlusion

RATE, SECONDS = 100, 10
TRAIN, JUDGED = 160, 30
WIDTH = 20
"""Samples of a cell: 0.2 s."""

BEFORE, AFTER = 0.1, 0.6
"""Seconds around the onset of a premature QRS complex that belong to its beat."""


def sample(number):
    """A record with or without premature ventricular beats: signal, label and place (12, T)."""
    rng = np.random.default_rng([35, number])
    ill = number % 2 == 1
    patient = draw_patient(rng, number, healthy=True)
    made = record(rng, patient, (), "SR", premature="pvc" if ill else "", rate=RATE,
                  seconds=SECONDS, nuisances=False)  # fmt: skip
    time = np.arange(RATE * SECONDS) / RATE
    place = np.zeros(len(time), bool)
    for onset, kind in zip(made.rhythm.ventricular, made.rhythm.kind, strict=True):
        if kind == "pvc":
            place |= (time > onset - BEFORE) & (time < onset + AFTER)
    clean, ill = made.clean.astype(np.float32), bool(place.any())  # none may lie in the record
    if ill:  # no larger than other beats, so that size alone does not show the place
        clean[:, place] *= 0.7 * np.abs(clean[:, ~place]).max() / np.abs(clean[:, place]).max()
    signal = torch.from_numpy(clean)
    return signal, ill, torch.from_numpy(np.repeat(place[None], 12, axis=0))


class Network(nn.Module):
    """A small network of signals that takes the largest answer of any moment."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(12, 16, 15, padding=7), nn.ReLU(), nn.Conv1d(16, 1, 15, padding=7)
        )

    def forward(self, signal):
        return self.layers(signal).amax(dim=2)


def trained(signals, labels):
    torch.manual_seed(0)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        loss = nn.functional.binary_cross_entropy_with_logits(network(signals)[:, 0], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval(), float(loss.detach())


@pytest.mark.slow
def test_occlusion_finds_premature_beats_and_randomised_weights_do_not():
    made = [sample(i) for i in range(TRAIN + 2 * JUDGED)]
    signals = torch.stack([s for s, _, _ in made])
    labels = torch.tensor([float(ill) for _, ill, _ in made])
    network, loss = trained(signals[:TRAIN], labels[:TRAIN])
    assert loss < 0.3
    seen = torch.ones((12, RATE * SECONDS), dtype=torch.bool)
    options = {"observed": seen, "width": WIDTH}
    hits, random_hits, alike, chance = [], [], [], []
    for signal, ill, place in made[TRAIN:]:
        if not ill:
            continue
        found = occlusion(network, signal, 0, **options)
        other = occlusion(randomised(network, seed=len(hits)), signal, 0, **options)
        hits.append(points_at(found, place, **options))
        random_hits.append(points_at(other, place, **options))
        alike.append(similarity(found, other, seen, width=WIDTH))
        chance.append(float(place.float().mean()))
    assert len(hits) > JUDGED / 2
    assert np.mean(hits) > np.mean(chance) + 0.4, (np.mean(hits), np.mean(chance))
    assert np.mean(hits) > np.mean(random_hits) + 0.2, np.mean(random_hits)
    assert np.mean(np.abs(alike)) < 0.5
