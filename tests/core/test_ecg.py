"""The leads and the `Ecg` value."""

from __future__ import annotations

import numpy as np
import pytest

from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import RecordError


def test_leads_are_the_twelve_in_the_standard_order():
    assert " ".join(LEADS) == "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6"


@pytest.mark.parametrize(
    ("signal", "rate"),
    [
        (np.zeros((11, 10), np.float32), 100.0),
        (np.zeros((12, 0), np.float32), 100.0),
        (np.zeros(12, np.float32), 100.0),
        (np.zeros((12, 10)), 100.0),
        (np.zeros((12, 10), np.float32), 0.0),
        (np.zeros((12, 10), np.float32), -1.0),
        (np.zeros((12, 10), np.float32), float("nan")),
    ],
)
def test_ecg_refuses_what_is_not_a_recording(signal, rate):
    with pytest.raises(RecordError):
        Ecg(signal, rate)


def test_observed_is_where_there_is_a_value():
    signal = np.zeros((12, 50), np.float32)
    signal[3, 10:20] = np.nan
    recording = Ecg(signal, 10.0)
    assert recording.seconds == 5.0
    assert (~recording.observed).sum() == 10
    assert not recording.observed[3, 10:20].any()
