"""The collection of odd records that stands beside the project, where it is there."""

from __future__ import annotations

import numpy as np
import pytest

from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import RecordError
from ecgvision.records.reading import read_record
from tests.real_data import real_data

CASES = real_data("cases")
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
READ = {  # options, and notes
    "names_minus_avr": ({}, ("negated:aVR",)), "names_einthoven": ({}, ()), "names_nul": ({}, ()),
    "names_german": ({}, ()), "t_in_ms.csv": ({}, ("time:ms",)), "semicolon.csv": ({"rate": 500}, ()),
    "ct_uv.npy": ({"rate": 500, "unit": "uV"}, ("unit:uV",)),
    "tc.npy": ({"rate": 500, "orientation": "time-first"}, ()),
    "unit_unsaid": ({"unit": "uV"}, ("unit:uV",)), "no_checksum": ({}, ()),
    "muse8": ({}, tuple(f"derived:{lead}" for lead in LEADS[2:6])),
    "leads15": ({}, ("dropped:vx", "dropped:vy", "dropped:vz")), "twice": ({}, ("twice:II",)),
    "pulse5500": ({}, ("pulse:10-11 s",)), "nan_half": ({}, ()),
}  # fmt: skip
REFUSED = {
    "ct_uv.npy": "median lead spans 1173 mV", "ct_z.npy": "standardised", "tc.npy": r"shape \(12, T\)",
    "unit_unsaid": "median lead spans 1173 mV", "gain0": "not calibrated",
}  # fmt: skip


def whole() -> Ecg:
    return read_record(real_data("ptbxl-mini") / "records500/00000/00012_hr")


@pytest.mark.parametrize("name", READ)
def test_it_is_the_record_that_it_was_made_from(name):
    said, notes = READ[name]
    found, wanted = read_record(CASES / name, **said), whole().signal.copy()
    assert (found.rate, found.notes) == (500, notes)
    if name == "names_minus_avr":
        wanted[3] *= -1
    if name == "nan_half":
        gone = np.isnan(found.signal)
        assert gone[:, :2500].all() != gone[:, 2500:].all()
        wanted[gone] = np.nan
    # What is derived differs by the rounding of the device's own limb leads.
    np.testing.assert_allclose(
        found.signal[:, :5000], wanted, atol=2e-3 if name == "muse8" else 1e-5
    )


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name):
    with pytest.raises(RecordError, match=REFUSED[name]):
        read_record(CASES / name, rate=None if name in ("unit_unsaid", "gain0") else 500)


def test_blanks_are_missing_and_a_rate_is_kept():
    found = read_record(CASES / "kaggle.csv", rate=250)
    assert 0.1 < found.observed.mean() < 0.5
    assert read_record(CASES / "rate257").rate == 257
