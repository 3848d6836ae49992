"""Scores of digitised curves: against hand-made shifts, scales and offsets, and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgvision.ecg import DataError
from ecgvision.evaluate.digitisation import (
    FIGURES,
    Shift,
    align,
    challenge_snr,
    correlation,
    digitisation,
    find_shift,
    presence_accuracy,
    rmse,
    snr_db,
    unshifted,
)

RATE = 100.0


def curve(length: int = 300, seed: int = 0) -> np.ndarray:
    """An irregular rhythm, so that only one shift fits."""
    rng = np.random.default_rng(seed)
    t = np.arange(length) / RATE
    beats = np.cumsum(rng.uniform(0.5, 1.1, 10))
    spikes = sum(np.exp(-((t - b) ** 2) / 0.0006) - 0.3 * np.exp(-((t - b - 0.06) ** 2) / 0.001)
                 for b in beats)  # fmt: skip
    return spikes + 0.1 * np.sin(2 * np.pi * 0.4 * t)


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


def records(n: int = 2, length: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((n, 12, length))
    y = x + 0.3 * rng.standard_normal(x.shape)
    x[rng.random(x.shape) < 0.2] = np.nan
    y[rng.random(x.shape) < 0.2] = np.nan
    x[0, 3] = np.nan
    return x, y


def test_correlation_and_rmse_by_loops() -> None:
    x, y = records()
    r, e = correlation(x, y), rmse(x, y)
    for i in range(2):
        for lead in range(12):
            both = np.isfinite(x[i, lead]) & np.isfinite(y[i, lead])
            a, b = x[i, lead][both], y[i, lead][both]
            if len(a) == 0:
                assert math.isnan(r[i, lead])
                assert math.isnan(e[i, lead])
                continue
            assert r[i, lead] == pytest.approx(np.corrcoef(a, b)[0, 1])
            assert e[i, lead] == pytest.approx(math.sqrt(np.mean((a - b) ** 2)))


def test_flat_curves() -> None:
    x, y = records()
    x, y = np.nan_to_num(x), np.ones_like(y)
    y[:, 0] = np.nan
    x[:, 2] = 3.0
    r = correlation(x, y)
    assert (r[:, 1] == 0).all()
    assert np.isnan(r[:, [0, 2]]).all()


def test_the_record_score_is_each_leads_own() -> None:
    x, y = records()
    table = challenge_snr(x, y, RATE)
    for i in range(2):
        for lead in range(12):
            moved = unshifted(y[i, lead], find_shift(x[i, lead], y[i, lead]), RATE)
            value = snr_db(x[i, lead], moved)
            assert table[i, lead] == value or (math.isnan(table[i, lead]) and math.isnan(value))


def test_presence() -> None:
    printed = np.zeros((1, 12, 10), bool)
    printed[:, :, :4] = True
    found = printed.copy()
    found[0, 5, 2:7] ^= True
    accuracy = presence_accuracy(printed, found)
    assert accuracy[0, 5] == 0.5
    assert (np.delete(accuracy[0], 5) == 1).all()


def moved_records() -> tuple[np.ndarray, np.ndarray]:
    """Twelve leads, and the same 0.07 s late, 0.02 mV too high and a quarter of a lead missing."""
    x = np.stack([curve(400, seed) for seed in range(12)])[None]
    y = np.full_like(x, np.nan)
    y[..., 7:] = x[..., :-7] + 0.02
    y[..., 300:] = np.nan
    x[0, 3] = np.nan
    return x, y


def test_every_figure_is_of_what_lies_on_its_reference() -> None:
    x, y = moved_records()
    printed = np.isfinite(x)
    table = digitisation(x, y, RATE, printed=printed, found=np.isfinite(y))
    assert tuple(table) == FIGURES
    shown = np.arange(12) != 3
    for name, values in table.items():
        assert values.shape == (1, 12)
        assert np.isfinite(values[0, shown]).all(), name
    np.testing.assert_allclose(table["time_shift_s"][0, shown], 0.07)
    assert (table["correlation"][0, shown] > 0.999).all()
    np.testing.assert_array_equal(table["snr_db"], challenge_snr(x, y, RATE))
    assert (table["amplitude_error_mv"][0, shown] < 0.01).all()
    np.testing.assert_allclose(table["interval_error_s"][0, shown], 0)
    assert math.isnan(table["time_shift_s"][0, 3])
    np.testing.assert_array_equal(
        table["presence_accuracy"], presence_accuracy(printed, np.isfinite(y))
    )


def test_no_record_gives_no_figure() -> None:
    none = np.zeros((0, 12, 10))
    table = digitisation(none, none, RATE, printed=none > 0, found=none > 0)
    assert all(values.shape == (0, 12) for values in table.values())


@pytest.mark.parametrize("call", [
    lambda: find_shift(np.zeros(4), np.zeros(5)),
    lambda: find_shift(np.zeros(0), np.zeros(0)),
    lambda: snr_db(np.zeros((2, 4)), np.zeros((2, 4))),
    lambda: align(np.zeros((1, 12, 4)), np.zeros((1, 12, 4)), 0.0),
    lambda: align(np.zeros((1, 12, 4)), np.zeros((1, 12, 4)), math.nan),
    lambda: challenge_snr(np.zeros((1, 11, 5)), np.zeros((1, 11, 5)), RATE),
    lambda: correlation(np.zeros((1, 12, 5)), np.zeros((1, 12, 6))),
    lambda: rmse(np.zeros((12, 5)), np.zeros((12, 5))),
    lambda: presence_accuracy(np.zeros((1, 12, 5)), np.zeros((1, 12, 5), bool)),
])  # fmt: skip
def test_what_cannot_be_scored_is_refused(call) -> None:
    with pytest.raises(DataError):
        call()
