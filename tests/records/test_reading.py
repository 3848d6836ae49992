"""Reading records: equal to the wfdb package on sound ones, a clear refusal for the others."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.records.reading import read_record
from tests.real_data import real_data

STEPS = np.random.default_rng(0).integers(-2000, 2000, (12, 60)).astype(np.int16)


def rdsamp(path: Path):
    with warnings.catch_warnings():
        # wfdb 4.3 calls set_index(inplace=True) at import, which pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        import wfdb
    return wfdb.rdsamp(str(path.with_suffix("")))


def write(
    folder: Path, *, first: str | None = None, gain: str = "1000(0)/mV", form: str = "16",
    leads: tuple[str, ...] = LEADS, steps: np.ndarray = STEPS, name: str = "r", suffix: str = ".dat",
    skip: int = 0, cut: int = 0, comments: str = "",
) -> Path:  # fmt: skip
    """A WFDB record; `cut` bytes are missing at its end, `skip` bytes stand before the samples."""
    lines = [f"{name} {len(leads)} 100 {steps.shape[1]}" if first is None else first]
    lines += [f"{name}{suffix} {form} {gain} 16 0 0 0 0 {lead}" for lead in leads]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n" + comments)
    data = b"\0" * skip + steps[: len(leads)].T.astype("<i2").tobytes()
    (folder / f"{name}{suffix}").write_bytes(data[: len(data) - cut])
    return folder / f"{name}.hea"


@given(
    order=st.permutations(range(12)),
    gain=st.sampled_from(
        ["1000(0)/mV", "400/mV", "4880(12)/mV", "0.5(-3)/uV", "1e6/V", "1000.0/mv"]
    ),
    skip=st.sampled_from([0, 24]),
    length=st.integers(1, 40),
)
def test_equal_to_wfdb_in_any_order_gain_and_offset(order, gain, skip, length):
    leads = tuple(LEADS[i] for i in order)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), leads=leads, gain=gain, skip=skip, steps=STEPS[:, :length],
                     form=f"16+{skip}" if skip else "16", suffix=".mat" if skip else ".dat")  # fmt: skip
        ecg = read_record(path)
        signals, fields = rdsamp(path)
    scale = {"mV": 1.0, "mv": 1.0, "uV": 1e-3, "V": 1e3}[gain.split("/")[1]]
    expected = np.empty((12, length))
    for column, lead in enumerate(fields["sig_name"]):
        expected[LEADS.index(lead)] = signals[:, column] * scale
    np.testing.assert_allclose(ecg.signal, expected, rtol=1e-6)
    assert ecg.rate == fields["fs"]
    assert ("reordered" in ecg.notes) == (list(order) != list(range(12)))


@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
def test_a_record_may_be_named_with_or_without_suffix(tmp_path, suffix):
    write(tmp_path, comments="# Age: 61\n#Sex: Female\n# Dx: 1,2\n")
    ecg = read_record(tmp_path / f"r{suffix}")
    np.testing.assert_allclose(ecg.signal, STEPS / 1000, rtol=1e-6)
    assert (ecg.record_id, ecg.meta["age"], ecg.meta["sex"]) == ("r", 61.0, "female")
    assert ecg.notes == ()


def test_other_formats_go_through_wfdb(tmp_path):
    steps = STEPS.copy() % 100
    (tmp_path / "b.hea").write_text(
        f"b 12 100 {steps.shape[1]}\n"
        + "".join(f"b.dat 32 100(0)/mV 32 0 0 0 0 {lead}\n" for lead in LEADS)
    )
    (tmp_path / "b.dat").write_bytes(steps.T.astype("<i4").tobytes())
    np.testing.assert_allclose(read_record(tmp_path / "b").signal, steps / 100, rtol=1e-6)
    (tmp_path / "b.dat").write_bytes(steps.T.astype("<i4").tobytes()[:-100])
    with pytest.raises(RecordError, match=r"b\.hea"):
        read_record(tmp_path / "b")


def test_missing_samples_and_leads_are_nan_and_noted(tmp_path):
    steps = STEPS.copy()
    steps[2, 5:9] = -32768
    signal = read_record(write(tmp_path, steps=steps)).signal
    assert np.argwhere(np.isnan(signal)).tolist() == [[2, i] for i in range(5, 9)]
    ecg = read_record(write(tmp_path, leads=LEADS[:8], gain="1/uV"))
    assert np.isnan(ecg.signal[8:]).all()
    assert np.isfinite(ecg.signal[:8]).all()
    assert ecg.notes == ("missing:V3", "missing:V4", "missing:V5", "missing:V6", "unit:uV")
    assert read_record(write(tmp_path, gain="1000(0)")).notes == ("unit_default",)


BAD = {
    "cut short": ({"cut": 1}, r"r\.dat.*cut short.*1440 bytes.*1439"),
    "empty signals": ({"cut": 1440}, r"r\.dat.*cut short"),
    "unknown lead": ({"leads": (*LEADS[:11], "V10")}, r"r\.hea.*unknown lead.*V10"),
    "lead twice": ({"leads": (*LEADS[:11], "V5")}, r"r\.hea.*twice.*V5"),
    "unknown unit": ({"gain": "1000(0)/mmHg"}, r"r\.hea.*unknown unit.*mmHg"),
    "zero gain": ({"gain": "0(0)/mV"}, r"r\.hea.*not calibrated"),
    "no gain": ({"gain": "/mV"}, r"r\.hea.*signal line"),
    "gain is no number": ({"gain": "-.e(0)/mV"}, r"r\.hea.*wrong number"),
    "zero rate": ({"first": "r 12 0 60"}, r"r\.hea.*rate must be"),
    "negative rate": ({"first": "r 12 -5 60"}, r"r\.hea.*rate must be"),
    "no rate": ({"first": "r 12"}, r"r\.hea.*record line"),
    "rate is no number": ({"first": "r 12 fast 60"}, r"r\.hea.*record line"),
    "infinite rate": ({"first": "r 12 inf 60"}, r"r\.hea.*rate must be"),
    "too few signals": ({"first": "r 13 100 60"}, r"r\.hea.*announces 13"),
    "segments": ({"first": "r/3 12 100 60"}, r"r\.hea.*multi-segment"),
    "frames": ({"form": "16x2"}, r"r\.hea.*frame"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_refused_with_file_and_value(tmp_path, case):
    changes, message = BAD[case]
    path = write(tmp_path, **changes)
    with pytest.raises(RecordError, match=message):
        read_record(path)


def test_missing_or_empty_files_are_refused(tmp_path):
    with pytest.raises(RecordError, match=r"nothing\.hea"):
        read_record(tmp_path / "nothing")
    path = write(tmp_path)
    (tmp_path / "r.dat").unlink()
    with pytest.raises(RecordError, match=r"r\.dat"):
        read_record(path)
    path.write_text("# only a comment\n")
    with pytest.raises(RecordError, match="empty"):
        read_record(path)
    for name in ("x.csv", "x.npy"):
        with pytest.raises(RecordError, match=name):
            read_record(tmp_path / name, rate=100)


def test_a_signal_file_outside_the_folder_is_refused(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text().replace("r.dat", "../r.dat"))
    with pytest.raises(RecordError, match="beside its header"):
        read_record(path)


def test_a_given_rate_must_agree(tmp_path):
    path = write(tmp_path)
    assert read_record(path, rate=100).rate == 100
    with pytest.raises(RecordError, match="100 Hz"):
        read_record(path, rate=500)


def test_csv_with_time_gaps_and_any_order(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("time,V1,I\n0.000,1,2\n0.004,,-0.5\n0.008,3,4\n")
    ecg = read_record(file)
    assert ecg.rate == 250
    assert ecg.notes[0] == "reordered"
    np.testing.assert_array_equal(ecg.signal[0], np.array([2, -0.5, 4], np.float32))
    np.testing.assert_array_equal(ecg.signal[6], np.array([1, np.nan, 3], np.float32))
    assert np.isnan(np.delete(ecg.signal, [0, 6], axis=0)).all()


@pytest.mark.parametrize(("text", "message"), [
    ("", "row of lead names"), ("I,II\n", "row of lead names"), ("I,XI\n1,2\n", "unknown lead"),
    ("I,i\n1,2\n", "twice"), ("I,II\n1\n", "line 2"), ("I,II\n1,2\nx,1\n", "line 3"),
    ("time,I\n0,1\n0.01,1\n0.05,1\n", "even steps"), ("time,I\n0,1\n", "even steps"),
    ("time\n0\n0.01\n", "no leads"), ("I,II\n1,2\n", "does not state its rate"),
])  # fmt: skip
def test_bad_csv(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(RecordError, match=message):
        read_record(tmp_path / "a.csv")


def test_npy_needs_shape_numbers_and_rate(tmp_path):
    file = tmp_path / "a.npy"
    np.save(file, STEPS / 1000)
    np.testing.assert_allclose(read_record(file, rate=100).signal, STEPS / 1000, rtol=1e-6)
    with pytest.raises(RecordError, match="rate"):
        read_record(file)
    with pytest.raises(RecordError, match="rate"):
        read_record(file, rate=0)
    for wrong in (
        STEPS.T / 1,
        STEPS[0] / 1,
        STEPS.astype(np.int16),
        np.array(["x"]),
        np.array([{}], object),
    ):
        np.save(file, wrong, allow_pickle=True)
        with pytest.raises(RecordError, match=r"a\.npy"):
            read_record(file, rate=100)
    file.write_bytes(b"")
    with pytest.raises(RecordError, match=r"a\.npy"):
        read_record(file, rate=100)


REAL = ("ptbxl-mini/records500/00000", "ptbxl-mini/records100/00000", "ptbxl-rescaled/records100",
        "cinc-sample", "cinc-sample/cpsc-extra")  # fmt: skip


@pytest.mark.parametrize("folder", REAL)
def test_real_records_equal_wfdb(folder):
    files = [f for f in sorted(real_data(folder).glob("*.hea")) if not f.name.startswith("E00")][
        :12
    ]
    assert files
    for file in files:
        ecg, (signals, fields) = read_record(file), rdsamp(file)
        names = [name.lower() for name in fields["sig_name"]]
        columns = [names.index(lead.lower()) for lead in LEADS]
        np.testing.assert_array_equal(ecg.signal, signals.T[columns].astype(np.float32))
        assert ecg.rate == fields["fs"]
