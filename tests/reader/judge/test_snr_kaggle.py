"""The Kaggle competition's score: against plain loops and worked examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import DataError
from ecgvision.reader.judge.snr_kaggle import (
    GREATEST_RATIO,
    kaggle_snr,
    lead_powers,
    powers,
    ratios,
    score_db,
)
from tests.digitised_curves import RATE, curve, misread


def powers_by_hand(x: np.ndarray, y: np.ndarray, rate: float) -> tuple[float, float]:
    """The rule lag by lag and sample by sample, for a stretch that is printed without gaps."""
    printed = [t for t in range(len(x)) if np.isfinite(x[t])]
    x = x[printed[0] : printed[-1] + 1]
    y = np.array([v if np.isfinite(v) else 0.0 for v in y[printed[0] : printed[-1] + 1]])
    n, longest = len(x), int(0.2 * rate)
    a, b = x - sum(x) / n, y - sum(y) / n
    best, lag = -math.inf, 0
    for k in sorted(range(-longest, longest + 1), key=abs):
        match = sum(a[t] * b[t - k] for t in range(n) if 0 <= t - k < n)
        if match > best + 1e-9:
            best, lag = match, k
    moved = [y[t - lag] if 0 <= t - lag < n else None for t in range(n)]
    off = [m - v for m, v in zip(moved, x, strict=True) if m is not None]
    offset = sum(off) / len(off)
    noise = sum((v - (0 if m is None else m - offset)) ** 2 for m, v in zip(moved, x, strict=True))
    return float(sum(v * v for v in x)), float(noise)


@given(late=st.integers(-30, 30), up=st.floats(-0.5, 0.5), seed=st.integers(0, 999),
       missing=st.integers(0, 120), unprinted=st.integers(0, 150))  # fmt: skip
def test_powers_are_those_of_plain_loops(late, up, seed, missing, unprinted) -> None:
    x = curve(300, seed)
    y = misread(x, late=late, up=up, missing=missing, rng=np.random.default_rng(seed))
    x[:unprinted] = np.nan
    np.testing.assert_allclose(lead_powers(x, y, RATE), powers_by_hand(x, y, RATE), rtol=1e-9)


def test_shift_and_offset_are_made_up_for() -> None:
    x = curve(300)
    y = np.roll(0.9 * x, 12) + 0.4
    y[:12] = 0.4
    signal, noise = lead_powers(x, y, RATE)
    whole = np.sum(x**2)
    assert signal == pytest.approx(whole)
    assert noise < 0.05 * whole
    _, beyond = lead_powers(x, np.roll(0.9 * x, 40), RATE)  # 0.4 s: twice what is made up for
    assert beyond > 0.5 * whole


def test_powers_are_summed_over_leads_and_ratios_averaged_over_pictures() -> None:
    signal = np.array([[3.0, 1.0], [8.0, 8.0]])
    noise = np.array([[0.5, 0.5], [1.0, 0.0]])
    ratio = ratios(signal.sum(1), noise.sum(1))
    np.testing.assert_allclose(ratio, [4, 16])
    assert score_db(ratio) == pytest.approx(10)


def test_records_are_scored_lead_by_lead() -> None:
    rng = np.random.default_rng(0)
    x = np.stack(
        [[curve(200, seed) for seed in range(12)], [curve(200, seed) for seed in range(12, 24)]]
    )
    y = x + 0.1 * rng.standard_normal(x.shape)
    x[0, 3], x[1, 2, :120] = np.nan, np.nan
    signal, noise = powers(x, y, RATE)
    assert (signal[0, 3], noise[0, 3]) == (0, 0)
    for place in ((0, 0), (1, 2)):
        np.testing.assert_allclose(
            (signal[place], noise[place]), powers_by_hand(x[place], y[place], RATE)
        )
    wanted = 10 * math.log10(np.mean(signal.sum(1) / noise.sum(1)))
    assert kaggle_snr(x, y, RATE) == pytest.approx(wanted)


def test_edges() -> None:
    x = np.tile(curve(200), (1, 12, 1))
    assert kaggle_snr(x, x, RATE) == pytest.approx(10 * math.log10(GREATEST_RATIO))
    nothing = kaggle_snr(x, np.full_like(x, np.nan), RATE)
    assert nothing == pytest.approx(10 * math.log10(np.mean(x**2) / np.var(x[0, 0])))
    assert math.isnan(score_db([]))
    assert score_db([0.0]) == -math.inf


@pytest.mark.parametrize("call", [
    lambda: lead_powers(np.zeros(4), np.zeros(5), RATE),
    lambda: lead_powers(np.zeros(4), np.zeros(4), 0.0),
    lambda: powers(np.zeros((1, 11, 5)), np.zeros((1, 11, 5)), RATE),
])  # fmt: skip
def test_what_cannot_be_scored_is_refused(call) -> None:
    with pytest.raises(DataError):
        call()
