"""The three ways to collapse, each made on purpose, and a batch without."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecgvision.core.errors import DataError
from ecgvision.nn.losses.collapse import collapse, entropy, feature_std


def features(n: int = 512, d: int = 64) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0))


def sure(places: torch.Tensor, k: int = 32) -> torch.Tensor:
    return torch.nn.functional.one_hot(places, k).float()


SPREAD_OUT = sure(torch.arange(512) % 32)


def test_a_healthy_batch():
    found = collapse(features(), SPREAD_OUT)
    assert found.verdict == "healthy"
    assert found.spread == pytest.approx(1, abs=0.02)  # directions without preference
    assert found.used == pytest.approx(1)
    assert found.unsure == pytest.approx(0)


def test_each_collapse_has_its_name():
    alike = torch.ones(512, 64) + 0.01 * features()
    assert collapse(alike, SPREAD_OUT).verdict == "constant features"
    assert collapse(torch.ones(512, 64), SPREAD_OUT).spread == pytest.approx(0, abs=1e-6)
    one = collapse(features(), sure(torch.zeros(512, dtype=torch.long)))
    assert (one.verdict, one.used) == ("one prototype", 0.0)
    uniform = collapse(features(), torch.full((512, 32), 1 / 32))
    assert (uniform.verdict, uniform.unsure) == ("uniform assignment", pytest.approx(1))


def test_few_records_are_not_blamed_for_unused_prototypes():
    found = collapse(features(8), sure(torch.arange(8), 4096))
    assert found.used == pytest.approx(1)


def test_figures_against_numpy():
    x = features(20, 5).double().numpy()
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(feature_std(torch.from_numpy(x)).numpy(), units.std(0), rtol=1e-5)
    p = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    expected = [np.log(2), -(0.2 * np.log(0.2) + 0.3 * np.log(0.3) + 0.5 * np.log(0.5))]
    np.testing.assert_allclose(entropy(torch.from_numpy(p)).numpy(), expected, rtol=1e-6)


def test_wrong_input_is_refused():
    with pytest.raises(DataError, match=r"\(N, D\)"):
        collapse(features(4), SPREAD_OUT[:3])
    with pytest.raises(DataError, match="two records"):
        collapse(features(1), SPREAD_OUT[:1])
    with pytest.raises(DataError, match=r"not finite.*lower the rate"):
        collapse(torch.full((512, 64), torch.nan), SPREAD_OUT)
