"""A wrong unit or rate is refused in every format, with the cause and the option; the right one is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.records.option_names import COMMAND
from ecgvision.records.plausible import RANGES, median_range, standardised
from ecgvision.records.reading import read_record
from ecgvision.records.recording import open_record
from ecgvision.records.units import millivolts
from tests.records.made_records import RATE, ecg_mv, write_wfdb

ECG = 2 * ecg_mv()
UNITS = {
    "uV": 1e-3,
    "nV": 1e-6,
    "V": 1e3,
    "1e-4V": 0.1,
    "0.1 mV": 0.1,
    "mV": 1.0,
    "µV": 1e-3,
    "UV": 1e-3,
}


def as_npy(folder, values):
    np.save(folder / "a.npy", values)
    return folder / "a.npy"


def as_csv(folder, values):
    np.savetxt(folder / "a.csv", values.T, delimiter=",", header=",".join(LEADS), comments="")
    return folder / "a.csv"


@pytest.mark.parametrize("write", [as_npy, as_csv])
@pytest.mark.parametrize("unit", UNITS)
def test_values_in_another_unit_are_read_if_it_is_stated_and_refused_if_not(tmp_path, write, unit):
    file = write(tmp_path, ECG / UNITS[unit])
    found = read_record(file, rate=RATE, unit=unit)
    np.testing.assert_allclose(found.signal, ECG, atol=1e-5)
    assert found.notes == (() if unit == "mV" else (f"unit:{unit}",))
    if UNITS[unit] != 1:
        with pytest.raises(RecordError, match=r"a\.\w+: the median lead spans .* mV.*--unit"):
            read_record(file, rate=RATE, options=COMMAND)


@pytest.mark.parametrize(
    ("unit", "cause"),
    [("uV", "in uV or"), ("V", "in V or"), ("nV", "nV"), ("1e-4V", "in 1e-4V or")],
)
def test_the_likely_unit_is_named(tmp_path, unit, cause):
    with pytest.raises(RecordError, match=cause):
        read_record(as_npy(tmp_path, ECG / UNITS[unit]), rate=RATE)


@given(exponent=st.floats(-4, 4))
def test_the_bounds_are_those_of_the_median_lead(exponent):
    signal = ECG * 10**exponent
    span = median_range(signal)
    assert span == pytest.approx(10**exponent * float(np.median(np.ptp(ECG, axis=1))))
    flat = np.concatenate([signal, np.zeros((9, signal.shape[1]))])
    assert median_range(flat) == span  # a lead without deflection has no unit to tell
    assert RANGES == (0.02, 10.0)


SCALED = {
    "each lead": lambda s: (s - s.mean(1, keepdims=True)) / s.std(1, keepdims=True),
    "sample deviation": lambda s: (s - s.mean(1, keepdims=True)) / s.std(1, keepdims=True, ddof=1),
    "all leads at once": lambda s: (s - s.mean()) / s.std(),
    "0 to 1": lambda s: (s - s.min(1, keepdims=True)) / np.ptp(s, axis=1, keepdims=True),
    "-1 to 1": lambda s: 2 * (s - s.min(1, keepdims=True)) / np.ptp(s, axis=1, keepdims=True) - 1,
    "by the largest": lambda s: s / np.abs(s).max(1, keepdims=True),
    "0 to 1 at once": lambda s: (s - s.min()) / np.ptp(s),
}


@pytest.mark.parametrize("kind", np.float32(0).dtype.char + "de")
@pytest.mark.parametrize("how", SCALED)
def test_standardised_records_have_no_unit(tmp_path, how, kind):
    scaled = SCALED[how](ECG).astype(kind)
    for unit in (None, "mV", "uV"):
        with pytest.raises(RecordError, match="standardised"):
            read_record(as_npy(tmp_path, scaled), rate=RATE, unit=unit)
    if "once" not in how:
        gaps = scaled.copy()
        gaps[3] = np.nan
        assert standardised(gaps) is not None


def test_an_ecg_in_mv_is_not_taken_for_standardised():
    assert standardised(ECG) is None
    assert standardised(np.zeros((12, 100))) is None
    assert standardised(np.full((12, 100), np.nan)) is None


def test_values_that_may_be_tenths_of_a_mv_need_a_unit(tmp_path):
    large = ECG * (8 / median_range(ECG))
    with pytest.raises(RecordError, match=r"8 mV if read in mV, as no unit is stated.*1e-4V"):
        read_record(as_npy(tmp_path, large), rate=RATE)
    np.testing.assert_allclose(read_record(as_npy(tmp_path, large), rate=RATE, unit="mV").signal, large,
                               atol=1e-5)  # fmt: skip


def test_a_record_without_deflection_is_read(tmp_path):
    assert read_record(as_npy(tmp_path, np.full((12, 500), 0.3)), rate=RATE).signal.max() > 0


def test_whole_numbers_need_a_unit(tmp_path):
    file = as_npy(tmp_path, np.round(ECG * 1000).astype(np.int16))
    with pytest.raises(RecordError, match=r"floating-point.*int16.*--unit"):
        read_record(file, rate=RATE, options=COMMAND)
    np.testing.assert_allclose(read_record(file, rate=RATE, unit="uV").signal, ECG, atol=1e-6)


@pytest.mark.parametrize("gain", ["1", "1(0)", "1.0/mV", "1/V", "1000/V", "1e6/mV"])
def test_a_header_with_a_wrong_unit_is_refused_and_can_be_overruled(tmp_path, gain):
    path = write_wfdb(tmp_path, ECG, gain=gain)
    with pytest.raises(RecordError, match=r"r\.hea: the median lead spans"):
        read_record(path)
    steps = float(gain.partition("/")[0].partition("(")[0])
    unit = f"{1e-6 * steps:g}V"  # samples are steps of 1 uV
    np.testing.assert_allclose(read_record(path, unit=unit).signal, ECG, atol=1e-5)


def test_a_unit_must_not_contradict_a_stated_one_that_fits(tmp_path):
    path = write_wfdb(tmp_path, ECG, gain="1/uV")
    assert read_record(path, unit="uV").notes == ("unit:uV",)
    for wrong in ("mV", "nV", "1e-4V"):
        with pytest.raises(RecordError, match="states another unit, which fits"):
            read_record(path, unit=wrong)


def test_a_unit_that_is_none_of_voltage_can_be_overruled(tmp_path):
    path = write_wfdb(tmp_path, ECG, gain="1/adu")
    with pytest.raises(RecordError, match=r"unknown unit.*adu.*--unit"):
        read_record(path, options=COMMAND)
    assert read_record(path, unit="uV").notes == ("unit:uV",)


@pytest.mark.parametrize(
    "text", ["", "m", "mmHg", "0mV", "-1mV", "1e999V", "mV/step", "1 2 mV", "nan"]
)
def test_what_is_no_unit(text):
    with pytest.raises(RecordError, match="unknown unit"):
        millivolts(text)


@pytest.mark.parametrize("rate", [0.5, 1, 10, 49.9, 2001, 100000, 0, -500, np.nan, np.inf])
def test_a_rate_of_no_ecg_is_refused(tmp_path, rate):
    with pytest.raises(RecordError, match=r"a\.npy.*[Rr]ate"):
        read_record(as_npy(tmp_path, ECG), rate=rate)


@pytest.mark.parametrize("rate", [50, 100, 257, 400, 500, 1000, 2000])
def test_rates_of_ecgs_are_read(tmp_path, rate):
    assert read_record(as_npy(tmp_path, ECG), rate=rate).rate == rate


def test_a_header_with_an_impossible_rate_is_refused_and_can_be_overruled(tmp_path):
    path = write_wfdb(tmp_path, ECG, rate=1)
    with pytest.raises(RecordError, match=r"no ECG has this rate.*--rate"):
        read_record(path, options=COMMAND)
    found = read_record(path, rate=RATE)
    assert (found.rate, found.notes) == (RATE, ("rate:250",))
    with pytest.raises(RecordError, match="states 250 Hz"):
        read_record(write_wfdb(tmp_path, ECG), rate=500)


@pytest.mark.parametrize("shape", [(1000, 12), (8, 1000), (2, 12, 1000), (12,), (12, 0)])
def test_an_array_of_another_shape_is_refused_or_turned_when_that_is_said(tmp_path, shape):
    values = ECG.T if shape == (1000, 12) else np.zeros(shape)
    file = as_npy(tmp_path, values)
    with pytest.raises(RecordError, match=r"a\.npy.*shape \(12, T\)"):
        read_record(file, rate=RATE)
    if shape == (1000, 12):
        with pytest.raises(RecordError, match="time-first with --orientation"):
            read_record(file, rate=RATE, options=COMMAND)
        found = read_record(file, rate=RATE, orientation="time-first")
        np.testing.assert_allclose(found.signal, ECG, atol=1e-6)
    with pytest.raises(RecordError, match="unknown orientation"):
        read_record(file, rate=RATE, orientation="sideways")


@pytest.mark.parametrize(
    ("factor", "kept"), [(1, True), (10, True), (0.01, True), (1000, False), (1e-5, False)]
)
def test_a_published_record_may_be_odd_but_not_of_another_unit(tmp_path, factor, kept):
    path = write_wfdb(tmp_path, ECG, gain=f"{1000 / factor:g}(0)/mV")
    if kept:
        assert open_record(path, published=True).length == ECG.shape[1]
    else:
        with pytest.raises(RecordError, match="the median lead spans"):
            open_record(path, published=True)
