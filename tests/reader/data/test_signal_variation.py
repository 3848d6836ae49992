"""Varied signals: Einthoven's law stays, and every number asked for is met."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import ConfigError
from ecgvision.core.limb_leads import LIMB_FROM_I_II
from ecgvision.reader.data.signal_variation import SignalVariation

STILL = SignalVariation(amplitude=(1, 1), tempo=(1, 1), recombine=0, flip=0)


def hearts(length: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.standard_normal((12, length)), axis=1).astype(np.float32) * np.float32(
        0.05
    )
    walk[:6] = LIMB_FROM_I_II @ walk[:2]
    return walk


def laws(x: np.ndarray) -> float:
    i, ii, iii, avr, avl, avf = x[:6]
    return max(np.nanmax(np.abs(v)) for v in (
        i + iii - ii, avr + (i + ii) / 2, avl - (i - iii) / 2, avf - (ii + iii) / 2))  # fmt: skip


@given(
    seed=st.integers(0, 2**32), recombine=st.sampled_from([0.0, 1.0]), length=st.integers(2, 900)
)
def test_einthoven_holds_whatever_is_drawn(seed: int, recombine: float, length: int) -> None:
    vary = SignalVariation(recombine=recombine, flip=0.5)
    out = vary(hearts(), length, np.random.default_rng(seed))
    assert out.shape == (12, length)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert laws(out) < 1e-4


def test_nothing_asked_is_a_stretch_of_the_record() -> None:
    x = hearts()
    out = STILL(x, 100, np.random.default_rng(3))
    start = np.random.default_rng(3)
    start.uniform(0, 0)  # tempo
    at = start.uniform(0, 399 - 99) + np.arange(100)
    for lead in range(12):
        np.testing.assert_allclose(out[lead], np.interp(at, np.arange(400), x[lead]), atol=1e-6)


def test_a_short_record_runs_on_backwards() -> None:
    ramp = np.tile(np.arange(50, dtype=np.float32), (12, 1))
    out = STILL(ramp, 200, np.random.default_rng(0))[0]
    steps = np.diff(out)
    assert out.min() >= 0
    assert out.max() <= 49
    assert np.abs(steps).max() <= 1 + 1e-4  # no jump
    assert (np.isclose(np.abs(steps), 1, atol=1e-4)).mean() > 0.95  # and no standstill
    assert (np.diff(np.sign(steps[np.abs(steps) > 0.99])) != 0).sum() in (3, 4, 5)


def test_a_record_of_one_sample_is_a_flat_line() -> None:
    out = STILL(np.full((12, 1), 0.5, np.float32), 20, np.random.default_rng(0))
    assert (out == 0.5).all()


@pytest.mark.parametrize("tempo", [0.7, 1.0, 1.4])
def test_tempo_is_the_ratio_of_speeds(tempo: float) -> None:
    ramp = np.tile(np.arange(1000, dtype=np.float32), (12, 1))
    vary = SignalVariation(amplitude=(1, 1), tempo=(tempo, tempo), recombine=0, flip=0)
    out = vary(ramp, 300, np.random.default_rng(0))
    np.testing.assert_allclose(np.diff(out[0]), tempo, rtol=1e-3)


def test_amplitudes_are_even_on_a_log_scale() -> None:
    vary = SignalVariation(tempo=(1, 1), recombine=0, flip=0)
    ones = np.ones((12, 10), np.float32)
    rng = np.random.default_rng(0)
    found = np.log([vary(ones, 5, rng)[0, 0] for _ in range(2000)])
    low, high = math.log(0.3), math.log(3)
    assert low <= found.min() < low + 0.05
    assert high - 0.05 < found.max() <= high
    counts = np.histogram(found, 4, (low, high))[0]
    assert (np.abs(counts - 500) < 100).all()


def test_signs_turn_limb_leads_together() -> None:
    vary = SignalVariation(amplitude=(1, 1), tempo=(1, 1), recombine=0, flip=0.5)
    ones = np.ones((12, 10), np.float32)
    signs = np.stack([vary(ones, 5, np.random.default_rng(i))[:, 0] for i in range(200)])
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert (signs[:, :6] == signs[:, :1]).all()
    assert np.abs(signs[:, [0, *range(6, 12)]].mean(0)).max() < 0.25
    assert len(np.unique(signs, axis=0)) > 50  # chest leads each for themselves


def test_recombined_leads_span_what_was_recorded() -> None:
    x = hearts()
    vary = SignalVariation(amplitude=(1, 1), tempo=(1, 1), recombine=1, flip=0)
    out = vary(x, 400, np.random.default_rng(5)).astype(np.float64)
    rank = np.linalg.matrix_rank(np.concatenate([x, out]).astype(np.float64), tol=1e-2)
    assert rank == 8
    assert np.abs(out[6:] - x[6:]).max() > 0.1


def test_missing_leads_stay_missing_and_alone() -> None:
    x = hearts()
    x[7] = np.nan
    vary = SignalVariation(recombine=1)
    out = vary(x, 300, np.random.default_rng(0))
    missing = np.isnan(out).all(1)
    assert missing.sum() == 1
    assert missing[6:].sum() == 1
    assert not np.isnan(out[~missing]).any()
    x[1] = np.nan  # without II the limb leads stay as they were
    out = vary(x, 300, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(out[:6]).all(1), [False, True, *[False] * 4])


def test_the_record_is_not_touched() -> None:
    x = hearts()
    before = x.copy()
    SignalVariation(recombine=1, flip=1)(x, 300, np.random.default_rng(0))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("wrong", [
    {"amplitude": (0.0, 1.0)}, {"tempo": (1.4, 0.7)}, {"amplitude": (1.0, math.inf)},
    {"recombine": 1.1}, {"flip": -0.1}, {"share": math.nan},
])  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SignalVariation(**wrong)
