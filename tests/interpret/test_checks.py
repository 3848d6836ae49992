"""Occlusion and checks of explanations on networks whose reasons are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ecgvision.core.errors import ConfigError
from ecgvision.interpret.cells import Cells
from ecgvision.interpret.checks import curves, points_at, randomised, similarity
from ecgvision.interpret.occlusion import occlusion

LEADS, LENGTH, WIDTH = 12, 60, 10
PLACE = (4, slice(20, 40))
"""Lead and samples that the network decides by."""


class Known(nn.Module):
    """A network whose first logit is the sum of one place, and whose second is 0."""

    def __init__(self):
        super().__init__()
        weight = torch.zeros(LEADS, LENGTH)
        weight[PLACE] = 1.0
        self.weight = nn.Parameter(weight)

    def forward(self, signal):
        first = (signal * self.weight).flatten(1).sum(1)
        return torch.stack([first, 0 * first], dim=1)


@pytest.fixture
def signal():
    return torch.rand((LEADS, LENGTH), generator=torch.Generator().manual_seed(0)) + 0.1


@pytest.fixture
def observed():
    seen = torch.ones((LEADS, LENGTH), dtype=torch.bool)
    seen[:6, 30:] = False
    return seen


def test_occlusion_is_the_fall_of_the_logit(signal, observed):
    network = Known().eval()
    signal = torch.where(observed, signal, 0.0)
    found = occlusion(network, signal, 0, observed=observed, width=WIDTH)
    expected = torch.zeros_like(signal)
    expected[4, 20:30] = signal[4, 20:30].mean()
    torch.testing.assert_close(found, expected)
    assert (occlusion(network, signal, 1, observed=observed, width=WIDTH) == 0).all()


def test_occlusion_of_patches_is_that_of_their_samples(signal):
    network, seen = Known().eval(), torch.ones((LEADS, LENGTH), dtype=torch.bool)
    whole = occlusion(network, signal, 0, observed=seen, width=WIDTH)
    shape = (LEADS, 3, 20)
    patches = occlusion(lambda x: network(x.flatten(2)), signal.reshape(shape), 0,
                        observed=seen.reshape(shape), width=WIDTH)  # fmt: skip
    torch.testing.assert_close(patches.flatten(1), whole)


def test_curves_tell_a_true_explanation_from_a_wrong_one(signal):
    network, seen = Known().eval(), torch.ones((LEADS, LENGTH), dtype=torch.bool)
    true = occlusion(network, signal, 0, observed=seen, width=WIDTH)
    options = {"observed": seen, "width": WIDTH}
    right = curves(network, signal, 0, true, **options)
    wrong = curves(network, signal, 0, -true, **options)
    total = float(network(signal[None])[0, 0].detach())
    assert right.deletion[0] == pytest.approx(total)
    assert right.deletion[-1] == pytest.approx(0, abs=1e-6)
    assert right.insertion[0] == pytest.approx(0, abs=1e-6)
    assert right.insertion[-1] == pytest.approx(total, rel=1e-6)
    assert right.deletion_gain > 0.2 * total > 0 > wrong.deletion_gain
    assert right.insertion_gain > 0.2 * total > 0 > wrong.insertion_gain
    assert right.deletion[1] == pytest.approx(0, abs=1e-6)  # all of it lies in the first cells


def test_randomised_weights_destroy_the_explanation(signal):
    network, seen = Known().eval(), torch.ones((LEADS, LENGTH), dtype=torch.bool)
    before = network.weight.detach().clone()
    other = randomised(network, seed=1)
    torch.testing.assert_close(network.weight.detach(), before)
    assert sorted(other.weight.flatten().tolist()) == sorted(before.flatten().tolist())
    true, random = (occlusion(n, signal, 0, observed=seen, width=WIDTH) for n in (network, other))
    assert similarity(true, true, seen, width=WIDTH) == pytest.approx(1)
    assert similarity(true, random, seen, width=WIDTH) < 0.5
    assert similarity(true, torch.zeros_like(true), seen, width=WIDTH) == 0


def test_the_pointing_game(signal, observed):
    network = Known().eval()
    place = torch.zeros((LEADS, LENGTH), dtype=torch.bool)
    place[PLACE] = True
    found = occlusion(network, torch.where(observed, signal, 0.0), 0, observed=observed,
                      width=WIDTH)  # fmt: skip
    assert points_at(found, place, observed=observed, width=WIDTH)
    assert not points_at(found, ~place, observed=observed, width=WIDTH)
    rng = np.random.default_rng(0)
    chance = np.mean([
        points_at(torch.from_numpy(rng.random((LEADS, LENGTH))), place, observed=observed,
                  width=WIDTH) for _ in range(100)
    ])  # fmt: skip
    assert chance < 0.15


def test_cells_are_windows_of_one_lead():
    cells = Cells((2, 7), 3)
    assert cells.count == 6
    assert cells.index.tolist() == [[0, 0, 0, 1, 1, 1, 2], [3, 3, 3, 4, 4, 4, 5]]
    with pytest.raises(ConfigError, match="a sample"):
        Cells((2, 7), 0)
