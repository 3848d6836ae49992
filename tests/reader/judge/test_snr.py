"""The Challenge's SNR: against hand-made shifts, scales and offsets, and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgvision.core.errors import DataError
from ecgvision.reader.judge.snr import (
    Shift,
    align,
    challenge_snr,
    find_shift,
    snr_db,
    unshifted,
    unshifted_official,
)
from tests.digitised_curves import RATE, curve, misread, records


def best_shift_by_trial(x: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    """Steps 1 of the Challenge in loops over every shift in time and level, without FFT."""
    from scipy.ndimage import gaussian_filter

    low, high = min(np.nanmin(x), np.nanmin(y)), max(np.nanmax(x), np.nanmax(y))
    pictures = []
    for c in (x, y):
        picture = np.zeros((256, len(c)))
        for t, v in enumerate(c):
            if np.isfinite(v):
                picture[round((v - low) / (high - low) * 255), t] = 1
        pictures.append(gaussian_filter(picture, 0.5))
    a, b = pictures
    best, found = -1.0, (0, 0)
    n = len(x)
    for late in range(-n + 1, n):
        left, right = a[:, max(0, -late) : n - max(0, late)], b[:, max(0, late) : n + min(0, late)]
        for up in range(-255, 256):
            value = (
                left[max(0, -up) : 256 - max(0, up)] * right[max(0, up) : 256 + min(0, up)]
            ).sum()
            if value > best + 1e-9:
                best, found = value, (late, up)
    return found


def test_the_shift_is_the_best_of_all_shifts() -> None:
    x = curve(40)
    y = np.concatenate([np.full(3, np.nan), x[:-3]]) + 0.11
    late, up = best_shift_by_trial(x, y)
    high, low = max(np.nanmax(x), np.nanmax(y)), min(np.nanmin(x), np.nanmin(y))
    found = find_shift(x, y)
    assert (found.samples, found.mv) == (late, pytest.approx(up * (high - low) / 255))
    assert late == 3
    assert found.mv == pytest.approx(0.11, abs=(high - low) / 255)


@settings(max_examples=15, deadline=None)
@given(late=st.integers(-50, 50), up=st.floats(-0.9, 0.9))
def test_a_moved_copy_is_moved_back(late: int, up: float) -> None:
    x = curve(400)
    y = np.full_like(x, np.nan)
    y[max(0, late) : 400 + min(0, late)] = x[max(0, -late) : 400 - max(0, late)]
    y += up
    shift = find_shift(x, y)
    step = (max(np.nanmax(x), np.nanmax(y)) - min(np.nanmin(x), np.nanmin(y))) / 255
    assert shift.samples == late
    assert shift.mv == pytest.approx(up, abs=step)
    back = unshifted(y, shift, RATE)
    seen = np.isfinite(back)
    assert seen.sum() == 400 - abs(late)
    np.testing.assert_allclose(back[seen], x[seen], atol=step)


@pytest.mark.parametrize(("late", "up"), [(51, 0.0), (0, 1.05)])
def test_a_shift_beyond_the_limit_is_not_made(late: int, up: float) -> None:
    x = curve(400)
    y = np.full_like(x, np.nan)
    y[late:] = x[: 400 - late]
    y += up
    assert find_shift(x, y).samples == late
    np.testing.assert_array_equal(unshifted(y, find_shift(x, y), RATE), y)


def challenge_by_hand(x: np.ndarray, y: np.ndarray, rate: float, *, official: bool) -> float:
    """Steps 2 and 3 sample by sample; step 1 is tested on its own."""
    late, up = find_shift(x, y)
    moved = [math.nan] * len(x)
    made = abs(late) <= 0.5 * rate and abs(up) <= 1
    for t in range(len(x)):
        source = t + late if made else t
        if not 0 <= source < len(y):
            continue
        if official and made and late < 0 and source >= -late:
            continue  # the scorer keeps the first samples of an early reading alone
        moved[t] = y[source] - (up if made else 0)
    pairs = [(a, b) for a, b in zip(x, moved, strict=True) if np.isfinite(a) and np.isfinite(b)]
    wanted = sum(np.isfinite(a) for a in x)
    if not wanted:
        return math.nan
    if not pairs:
        return 0.0
    signal, noise = sum(a * a for a, _ in pairs), sum((a - b) ** 2 for a, b in pairs)
    if not signal or not noise:
        return math.nan
    return 10 * math.log10(signal / noise) * len(pairs) / wanted


@given(late=st.integers(-60, 60), up=st.floats(-0.5, 0.5), seed=st.integers(0, 999),
       missing=st.integers(0, 200), unprinted=st.integers(0, 150))  # fmt: skip
def test_both_rules_are_those_of_plain_loops(late, up, seed, missing, unprinted) -> None:
    x = curve(400, seed)
    y = misread(x, late=late, up=up, missing=missing, rng=np.random.default_rng(seed))
    x[:unprinted] = np.nan
    records = [np.tile(c, (1, 12, 1)) for c in (x, y)]
    for official in (False, True):
        found = challenge_snr(*records, RATE, official=official)
        wanted = challenge_by_hand(x, y, RATE, official=official)
        np.testing.assert_allclose(found, np.full((1, 12), wanted), atol=1e-9)


def test_the_official_scorer_drops_an_early_reading() -> None:
    """Of 400 samples read 5 early it keeps 5, so a perfect reading has 1/80 of its SNR."""
    x = curve(400)
    y = np.full_like(x, np.nan)
    y[:-5] = 0.9 * x[5:]
    kept = unshifted_official(y, Shift(-5, 0.0), RATE)
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(kept)), np.arange(5, 10))
    np.testing.assert_array_equal(kept[5:10], y[:5])
    records = [np.tile(c, (1, 12, 1)) for c in (x, y)]
    assert np.nanmean(challenge_snr(*records, RATE)) > 19
    assert np.nanmean(challenge_snr(*records, RATE, official=True)) < 1


def test_rules_agree_on_readings_that_are_not_early() -> None:
    x = curve(400)
    y = np.full_like(x, np.nan)
    y[7:] = 0.9 * x[:-7]
    records = [np.tile(c, (1, 12, 1)) for c in (x, y)]
    np.testing.assert_array_equal(
        challenge_snr(*records, RATE), challenge_snr(*records, RATE, official=True)
    )


def test_snr_of_a_scaled_and_an_offset_copy() -> None:
    x = curve()
    assert snr_db(x, 0.9 * x) == pytest.approx(20)  # noise is a tenth of the signal
    assert snr_db(x, 0 * x) == pytest.approx(0)
    power = np.mean(x**2)
    assert snr_db(x, x + 0.05) == pytest.approx(10 * math.log10(power / 0.0025))


def test_what_was_not_read_costs_its_share() -> None:
    x = curve()
    y = 0.9 * x
    y[::3] = np.nan
    whole = 10 * math.log10(
        np.mean(x[np.isfinite(y)] ** 2) / np.mean((0.1 * x[np.isfinite(y)]) ** 2)
    )
    assert snr_db(x, y) == pytest.approx(whole * 2 / 3)


def test_edges_of_the_snr() -> None:
    x, empty = curve(), np.full(300, np.nan)
    assert snr_db(x, empty) == 0
    assert math.isnan(snr_db(x, x))  # the Challenge leaves out a lead without error
    assert math.isnan(snr_db(empty, x))
    assert math.isnan(snr_db(0 * x, x))
    extra = np.where(np.arange(300) < 100, x, np.nan)
    assert snr_db(extra, 0.9 * x) == pytest.approx(20)  # read beyond the print: of no account


def test_flat_and_empty_curves_have_no_shift() -> None:
    flat = np.ones(50)
    assert find_shift(flat, flat) == Shift(0, 0.0)
    assert find_shift(flat, np.full(50, np.nan)) == Shift(0, 0.0)


def test_the_record_score_is_each_leads_own() -> None:
    x, y = records()
    table = challenge_snr(x, y, RATE)
    for i in range(2):
        for lead in range(12):
            moved = unshifted(y[i, lead], find_shift(x[i, lead], y[i, lead]), RATE)
            value = snr_db(x[i, lead], moved)
            assert table[i, lead] == value or (math.isnan(table[i, lead]) and math.isnan(value))


@pytest.mark.parametrize("call", [
    lambda: find_shift(np.zeros(4), np.zeros(5)),
    lambda: find_shift(np.zeros(0), np.zeros(0)),
    lambda: snr_db(np.zeros((2, 4)), np.zeros((2, 4))),
    lambda: align(np.zeros((1, 12, 4)), np.zeros((1, 12, 4)), 0.0),
    lambda: align(np.zeros((1, 12, 4)), np.zeros((1, 12, 4)), math.nan),
    lambda: challenge_snr(np.zeros((1, 11, 5)), np.zeros((1, 11, 5)), RATE),
])  # fmt: skip
def test_what_cannot_be_scored_is_refused(call) -> None:
    with pytest.raises(DataError):
        call()
