"""What is told of digitised leads: against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ecgvision.core.errors import DataError
from ecgvision.reader.judge.digitisation import (
    FIGURES,
    correlation,
    digitisation,
    presence_accuracy,
    rmse,
)
from ecgvision.reader.judge.snr import challenge_snr
from tests.digitised_curves import RATE, curve, records


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
    lambda: correlation(np.zeros((1, 12, 5)), np.zeros((1, 12, 6))),
    lambda: rmse(np.zeros((12, 5)), np.zeros((12, 5))),
    lambda: presence_accuracy(np.zeros((1, 12, 5)), np.zeros((1, 12, 5), bool)),
])  # fmt: skip
def test_what_cannot_be_scored_is_refused(call) -> None:
    with pytest.raises(DataError):
        call()
