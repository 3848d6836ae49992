"""Amplitude and interval errors: against curves whose waves are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import DataError
from ecgvision.reader.judge.beats import NEAR, beat_errors, find_waves

RATE = 500.0
BEATS = np.array([0.5, 1.3, 1.9, 2.8, 3.5])
T = np.arange(2000) / RATE


def spikes(at: np.ndarray, height: float = 1.0) -> np.ndarray:
    """A wave of 20 ms, 1 mV by default, at each of the given seconds, over a small T wave."""
    waves = [np.exp(-((T - b) ** 2) / 0.0004) + 0.2 * np.exp(-((T - b - 0.25) ** 2) / 0.005)
             for b in at]  # fmt: skip
    return height * np.sum(waves, axis=0)


@pytest.mark.parametrize("height", [1.0, -0.4])
def test_waves_are_where_they_were_put(height: float) -> None:
    np.testing.assert_allclose(find_waves(spikes(BEATS, height), RATE) / RATE, BEATS, atol=0.002)


@given(
    share=st.floats(0.3, 1.5), late=st.lists(st.integers(-20, 20), min_size=5, max_size=5),
    side=st.sampled_from([-1.0, 1.0]),
)  # fmt: skip
def test_errors_are_those_that_were_made(share: float, late: list[int], side: float) -> None:
    moved = np.array(late) / RATE
    found = beat_errors(spikes(BEATS, side), spikes(BEATS + moved, share * side), RATE)
    assert found.amplitude_mv == pytest.approx(abs(1 - share), abs=0.01)
    assert found.interval_s == pytest.approx(np.abs(np.diff(moved)).mean(), abs=0.0021)


def test_a_wave_that_was_not_read_is_left_out_with_its_intervals() -> None:
    x = spikes(BEATS)
    y = spikes(BEATS + [0, 0, 0.02, 0, 0.02], 0.9)
    hidden = np.where(np.abs(T - BEATS[2]) < 0.01, np.nan, y)
    found = beat_errors(x, hidden, RATE)
    assert found.interval_s == pytest.approx(0.01, abs=0.0021)  # of 0 to 1 and 3 to 4 alone
    assert found.amplitude_mv == pytest.approx(0.1, abs=0.01)


def test_a_wave_that_was_lost_costs_its_height() -> None:
    found = beat_errors(spikes(BEATS), np.zeros_like(T), RATE)
    assert found.amplitude_mv == pytest.approx(1, abs=0.01)
    assert found.interval_s <= 2 * NEAR


def test_what_holds_no_wave_has_no_errors() -> None:
    empty = np.full_like(T, np.nan)
    for x in (empty, np.ones_like(T)):
        assert all(math.isnan(v) for v in beat_errors(x, spikes(BEATS), RATE))
    one = beat_errors(spikes(BEATS[:1]), spikes(BEATS[:1]), RATE)
    assert one.amplitude_mv == 0
    assert math.isnan(one.interval_s)
    with pytest.raises(DataError, match="one length"):
        beat_errors(T, T[1:], RATE)
