"""Moments found in batches against numpy on all at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.standardise import Moments, Standardise, estimate


def batches(seed: int, sizes: list[int]) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    level = rng.normal(size=(1, 12, 1, 1)) * 100
    found = [torch.from_numpy(rng.normal(size=(n, 12, 3, 5)) + level) for n in sizes]
    found[0][0, 2, :, 1:3] = torch.nan
    return found


@given(st.integers(0, 2**31), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_estimates_equal_numpy(seed, sizes):
    parts = batches(seed, sizes)
    everything = np.concatenate([p.numpy() for p in parts])
    mean = np.nanmean(everything, (0, 2, 3))
    apart = everything - mean[:, None, None]
    pooled, each = estimate(parts), estimate(parts, std_per_lead=True)
    np.testing.assert_allclose(pooled.mean, mean)
    np.testing.assert_allclose(pooled.std, [np.sqrt(np.nanmean(apart**2))])
    np.testing.assert_allclose(each.std, np.sqrt(np.nanmean(apart**2, (0, 2, 3))))


def test_a_lead_that_is_missing_in_one_batch_is_found_in_another():
    first, second = batches(1, [3, 3])
    first[:, 4] = torch.nan
    np.testing.assert_allclose(estimate([first, second]).mean[4], second[:, 4].mean())


@pytest.mark.parametrize("per_lead", [False, True])
def test_standardised_values_have_no_mean_and_unit_spread(per_lead):
    parts = batches(2, [64, 32])
    transform = Standardise(estimate(parts, std_per_lead=per_lead))
    found = transform(torch.cat(parts)).double().numpy()
    np.testing.assert_allclose(np.nanmean(found, (0, 2, 3)), np.zeros(12), atol=1e-5)
    axes = (0, 2, 3) if per_lead else None
    np.testing.assert_allclose(np.nanstd(found, axis=axes), 1, atol=1e-5)


def test_nothing_changes_until_a_state_brings_moments():
    x = torch.randn(2, 12, 7)
    plain = Standardise()
    assert torch.equal(plain(x), x)
    moments = Moments(tuple(0.01 * lead for lead in range(12)), (0.054,))
    plain.load_state_dict(Standardise(moments).state_dict())
    mean = torch.tensor(moments.mean).view(1, 12, 1)
    torch.testing.assert_close(plain(x), (x - mean) / 0.054)


@pytest.mark.parametrize(
    "wrong",
    [
        Moments((0.0,) * 11, (1.0,)),
        Moments((0.0,) * 12, (1.0, 1.0)),
        Moments((float("nan"),) * 12, (1.0,)),
        Moments((0.0,) * 12, (0.0,)),
    ],
)
def test_wrong_moments_are_refused(wrong):
    with pytest.raises(ConfigError):
        Standardise(wrong)


def test_nothing_to_estimate_from_is_refused():
    with pytest.raises(DataError, match="no values"):
        estimate([])
    with pytest.raises(DataError, match="no values"):
        estimate([torch.full((1, 12, 3), torch.nan)])
    with pytest.raises(DataError, match="spread"):
        estimate([torch.ones(2, 12, 3)])
