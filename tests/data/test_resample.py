"""Resampling keeps sines, gaps and lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from ecgvision.core.errors import ConfigError
from ecgvision.data.resample import fit_length, resample


@given(
    st.sampled_from([(500, 100), (100, 500), (250, 100), (500, 250), (257, 100)]), st.floats(0.5, 8)
)
def test_a_sine_stays_a_sine(rates, frequency):
    rate, target = rates
    t = np.arange(10 * rate) / rate
    out = resample(np.sin(2 * np.pi * frequency * t)[None].astype(np.float32), rate, target)
    assert out.shape == (1, 10 * target)
    expected = np.sin(2 * np.pi * frequency * np.arange(10 * target) / target)
    inner = slice(target, 9 * target)
    assert np.abs(out[0] - expected)[inner].max() < 0.02


def test_gaps_stay_gaps():
    signal = np.ones((2, 1000), np.float32)
    signal[0, 200:400] = np.nan
    signal[1] = np.nan
    out = resample(signal, 500, 100)
    assert np.isnan(out[0, 40:80]).all()
    assert not np.isnan(out[0, :40]).any()
    assert not np.isnan(out[0, 80:]).any()
    np.testing.assert_allclose(out[0, ~np.isnan(out[0])], 1, atol=1e-3)
    assert np.isnan(out[1]).all()


def test_equal_rates_change_nothing():
    signal = np.random.default_rng(0).standard_normal((12, 50)).astype(np.float32)
    assert resample(signal, 100, 100) is signal


def test_rates_without_a_simple_ratio_are_refused():
    with pytest.raises(ConfigError, match="resample"):
        resample(np.zeros((1, 10), np.float32), 100, 33.33333)


def test_fit_length_pads_with_missing():
    out = fit_length(np.ones((12, 5), np.float32), 8, start=2)
    assert out.shape == (12, 8)
    assert (out[:, :3] == 1).all()
    assert np.isnan(out[:, 3:]).all()


@given(st.integers(1, 9), st.integers(1, 9), st.integers(2, 700), st.integers(0, 2**31))
def test_the_filter_is_scipys(up, down, count, seed):
    signal = np.random.default_rng(seed).normal(size=(2, count * up)) + 3  # whole numbers of steps
    signal = signal[:, : max(down, len(signal[0]) // down * down)]
    if signal.shape[1] % down or up == down:
        return
    wanted = resample_poly(signal, up, down, axis=1, padtype="line")
    found = resample(signal.astype(np.float32), float(down), float(up))
    np.testing.assert_allclose(found, wanted, atol=2e-5)
