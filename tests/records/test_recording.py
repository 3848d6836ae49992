"""Windows of a record are slices of the whole, in every format; long records need little memory."""

from __future__ import annotations

import io
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.chunks import Reading, pack_items
from data_prep.contents import Item
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.records import csv_columns, recording
from ecgvision.records.reading import read_record
from ecgvision.records.recording import open_record
from ecgvision.store.packed import Store
from tests.records.made_records import ecg_mv, write_wfdb

RATE = 100
ECG = ecg_mv(12.0, RATE)


def written(folder: Path, form: str) -> tuple[Path, dict]:
    eight = ["II", "-I", *LEADS[6:]]
    rows = ECG[[1, 0, 6, 7, 8, 9, 10, 11]] * np.array([[1], [-1], *[[1]] * 6])
    if form == "wfdb16":
        return write_wfdb(folder, rows, leads=eight, rate=RATE), {}
    if form == "wfdb32":
        path = write_wfdb(folder, rows, leads=eight, rate=RATE)
        path.write_text(path.read_text().replace(".dat 16", ".dat 32"))
        path.with_suffix(".dat").write_bytes(np.round(rows * 1000).astype("<i4").T.tobytes())
        return path, {}
    if form == "csv":
        np.savetxt(folder / "a.csv", rows.T, delimiter=";", header=";".join(eight), comments="")
        return folder / "a.csv", {"rate": RATE}
    values = ECG.T if form == "npy-T" else ECG
    np.save(folder / "a.npy", values)
    return folder / "a.npy", {
        "rate": RATE,
        "orientation": "time-first" if form == "npy-T" else None,
    }


@pytest.mark.parametrize("limit", [600.0, 3.0])
@pytest.mark.parametrize("form", ["wfdb16", "wfdb32", "csv", "npy", "npy-T"])
def test_windows_are_slices(form, limit, tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "KEPT_SECONDS", limit)
    monkeypatch.setattr(recording, "STRETCH_SECONDS", 1.0)
    monkeypatch.setattr(recording, "_BLOCK", 170)
    path, said = written(tmp_path, form)
    record = open_record(path, **said)
    whole = record.read()
    np.testing.assert_allclose(whole, ECG, atol=2e-6)
    for start, stop in [(0, 1), (169, 171), (1199, 1200), (400, 5000), (7, 7), (340, 510)]:
        np.testing.assert_array_equal(record.read(start, stop), whole[:, start:stop])
    for rows in ([0], [11, 2], [5]):
        np.testing.assert_array_equal(record.read(100, 400, rows), whole[rows, 100:400])
    part = record.ecg(100, 300)
    assert (part.signal.shape, part.notes) == ((12, 200), record.notes)


@given(start=st.floats(0, 11.9), seconds=st.floats(0.05, 20))
def test_seconds_of_a_record(start, seconds):
    with tempfile.TemporaryDirectory() as folder:
        path = write_wfdb(Path(folder), ECG, rate=RATE)
        found = read_record(path, start=start, seconds=seconds)
    first = round(start * RATE)
    np.testing.assert_allclose(
        found.signal, ECG[:, first : first + round(seconds * RATE)], atol=1e-6
    )


@pytest.mark.parametrize("part", [(12, None), (-1, None), (0, 0), (3, -1), (100, 5)])
def test_a_part_outside_is_refused(tmp_path, part):
    path = write_wfdb(tmp_path, ECG, rate=RATE)
    with pytest.raises(RecordError, match=r"r\.hea.*outside the record's 12 s"):
        read_record(path, start=part[0], seconds=part[1])


MINUTES, MINUTE = 40, 60 * 250
HOUR = ecg_mv(60.0, 250)


@pytest.fixture(scope="module")
def holter(tmp_path_factory) -> Path:
    """Forty minutes at 250 Hz, the first five of them without electrodes."""
    path = write_wfdb(tmp_path_factory.mktemp("holter"), HOUR, rate=250)
    minute = path.with_suffix(".dat").read_bytes()
    with path.with_suffix(".dat").open("wb") as file:
        for number in range(MINUTES):
            file.write(minute if number >= 5 else bytes(len(minute)))
    path.write_text(path.read_text().replace(f"250 {MINUTE}", f"250 {MINUTES * MINUTE}", 1))
    return path


@pytest.mark.parametrize("long", [False, True])
def test_ten_seconds_of_a_long_table_need_little_memory(tmp_path, long, monkeypatch):
    minutes = 40 if long else 1
    lines = io.StringIO()
    np.savetxt(lines, HOUR.T, delimiter=",", fmt="%.3f")
    with (tmp_path / "a.csv").open("w") as file:
        file.write(",".join(LEADS) + "\n")
        for _ in range(minutes):
            file.write(lines.getvalue())
    monkeypatch.setattr(csv_columns, "IN_MEMORY", 100_000)
    tracemalloc.start()
    found = read_record(tmp_path / "a.csv", rate=250, start=60 * minutes - 30, seconds=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(found.signal, HOUR[:, 7500:10000], atol=6e-4)
    assert peak < 30e6  # the long table has 29 MB in float32, 58 MB in float64


def test_a_file_without_lines_is_not_read_to_its_end(tmp_path):
    (tmp_path / "a.csv").write_text("I,II\n" + "1,2 " * 5_000_000)
    tracemalloc.start()
    with pytest.raises(RecordError, match=r"a\.csv: a line is too long"):
        read_record(tmp_path / "a.csv", rate=250)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6  # the line has 20 MB


def test_ten_seconds_of_a_long_record_need_little_memory(holter):
    tracemalloc.start()
    found = read_record(holter, start=1800, seconds=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(found.signal, HOUR[:, :2500], atol=1e-6)
    assert peak < 25e6  # the record is 29 MB in float32
    assert [note[:13] for note in found.notes] == ["padding:0-300"]


def test_the_amplitude_of_a_long_record_is_not_that_of_the_window(holter):
    assert np.ptp(read_record(holter, start=5, seconds=10).signal) == 0


def test_a_long_record_is_packed_lead_by_lead(holter, tmp_path):
    items = [Item("a/r", holter, {"patient_id": None, "fold": 1, "scp_codes": {"NORM": 100.0}})]
    tracemalloc.start()
    out = pack_items(items, tmp_path / "s", Reading(250.0), source="a", progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    store = Store(out)
    part = store.read(0, 10 * MINUTE, 2500)
    np.testing.assert_allclose(part, HOUR[:, :2500], atol=1e-6)
    assert store.length(0) == MINUTES * MINUTE
    assert peak < 40e6
    reading = Reading(125.0, resample=True, trim=True)
    half = Store(pack_items(items, tmp_path / "t", reading, source="a", progress=False))
    assert 0 <= (MINUTES - 5) * MINUTE // 2 - half.length(0) < 20
