"""Text tables as programs write them: every dialect that is clear is read, the others are refused."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.records import csv_cells
from ecgvision.records.reading import read_record
from tests.records.made_records import RATE, ecg_mv

ECG = ecg_mv(1.0)
T = ECG.shape[1]
TIMES = {  # name of the column: seconds of its unit
    "time": 1.0, "Time": 1e-3, "t": 1e-6, "time_ms": 1e-3, "time (s)": 1.0, "Time [ms]": 1e-3,
    "time_s": 1.0, "time/us": 1e-6, "ms": 1e-3, "seconds": 1.0,
}  # fmt: skip


def table(columns: dict[str, np.ndarray], separator: str, decimal: str, *, quoted: bool) -> str:
    def cell(value: float) -> str:
        text = "" if np.isnan(value) else f"{value:.10g}".replace(".", decimal)
        return f'"{text}"' if quoted else text

    lines = [separator.join(columns)]
    lines += [separator.join(cell(v) for v in row) for row in np.array(list(columns.values())).T]
    return "\n".join(lines) + "\n"


@given(
    separator=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    time=st.sampled_from([None, *TIMES]),
    index=st.sampled_from([None, "", "Unnamed: 0", "index", "sample", "#"]),
    first=st.sampled_from([0, 1]),
    unit=st.sampled_from([None, "mV", "uV", "µV"]),
    form=st.sampled_from(["{} [{}]", "{} ({})", "{}_{}"]),
    head=st.sampled_from(["", "# a comment\n", "\n", "sep={}\n"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    end=st.sampled_from(["", "\n\n"]),
    gap=st.booleans(),
)
def test_a_clear_table_is_read(
    separator, decimal, encoding, time, index, first, unit, form, head, newline, end, gap
):
    values = ECG.copy()
    if gap:
        values[7, 20:40] = np.nan
    columns: dict[str, np.ndarray] = {}
    if index is not None:
        columns[index] = np.arange(T) + first
    if time is not None:
        columns[time] = np.arange(T) / RATE / TIMES[time]
    scale = 1000 if unit in ("uV", "µV") else 1
    for lead, row in zip(LEADS, values, strict=True):
        columns[lead if unit is None else form.format(lead, unit)] = row * scale
    text = table(columns, separator, decimal, quoted=separator == "," == decimal)
    text = (head.format(separator) + text + end).replace("\n", newline)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.csv"
        file.write_bytes(text.encode(encoding))
        found = read_record(file, rate=None if time is not None else RATE)
    np.testing.assert_allclose(found.signal, values, atol=1e-5)
    assert found.rate == RATE
    notes = {note.partition(":")[0] for note in found.notes}
    assert ("dropped" in notes) == (index is not None)
    assert ("time" in notes) == (time is not None and TIMES[time] != 1)
    assert ("unit" in notes) == (scale != 1)


AMBIGUOUS = {
    "two separators": ("I;II,III\n1;2,3\n", "more than one sign"),
    "spaces": ("I II III\n1 2 3\n", "separated by spaces"),
    "decimal commas between commas": ("I,II\n0,1,0,2\n", "line 2 must have 2 values.*semicolons"),
    "points and commas": ("I;II\n0.5;0,25\n", "decimal points and commas: line 2"),
    "thousands": ("I;II\n1,234;5\n2,345;6\n", "decimals or thousands.*1,234"),
    "no names": ("0.1,0.2\n0.3,0.4\n", "first row must hold the names"),
    "column without a name": (",I\n0.1,1\n0.2,2\n", "column 1 has no name"),
    "two times": ("time,t,I\n0,0,1\n0.002,0.002,1\n", "several columns may be the time"),
    "count or ms": ("time,I\n0,1\n1,2\n2,1\n", r"may be ms, or may count.*--rate|rate="),
    "clock": ("time,I\n0:00.000,1\n0:00.002,2\n", "line 2 is not numbers .column time"),
    "uneven": ("time,I\n0,1\n2,1\n4,2\n10,1\n", "even steps"),
    "seconds that are ms": ("time_s,I\n0,1\n2,1\n4,2\n", "looks like times in ms"),
    "two points": ("I;II\n1.2.3;1\n", "line 2 is not numbers .column I"),
}  # fmt: skip


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_an_unclear_table_is_refused_by_what_is_unclear(tmp_path, case):
    text, message = AMBIGUOUS[case]
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(RecordError, match=message):
        read_record(tmp_path / "a.csv", rate=None if "time" in text else 500)


@pytest.mark.parametrize("rate", [250, 500, 1000])
def test_times_that_only_count_need_a_rate(tmp_path, rate):
    (tmp_path / "a.csv").write_text("time,I\n0,1\n1,2\n2,1\n")
    found = read_record(tmp_path / "a.csv", rate=rate)
    assert (found.rate, found.notes[-1]) == (rate, "time:samples")


@pytest.mark.parametrize("rate", [128, 250, 257, 360, 400])
def test_times_rounded_to_whole_ms(tmp_path, rate):
    n = 3000
    lines = [f"{round(1000 * i / rate)},{np.sin(i / 9):.3f}" for i in range(n)]
    (tmp_path / "a.csv").write_text("time,I\n" + "\n".join(lines))
    assert read_record(tmp_path / "a.csv").rate == pytest.approx(rate, rel=2e-4)
    del lines[1500]
    (tmp_path / "a.csv").write_text("time,I\n" + "\n".join(lines))
    with pytest.raises(RecordError, match="even steps"):
        read_record(tmp_path / "a.csv")


def test_a_row_of_units_and_quoted_names_as_physionet_exports_them(tmp_path):
    lines = ["'Elapsed time','I','II'", "'seconds','mV','uV'"]
    lines += [f"{i / 500:.3f},{i / 100},{i * 10}" for i in range(100)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    found = read_record(tmp_path / "a.csv")
    np.testing.assert_allclose(found.signal[0], found.signal[1], atol=1e-6)
    assert found.rate == 500


def test_names_that_numpy_writes_as_a_comment(tmp_path):
    time = np.arange(T) / RATE
    np.savetxt(
        tmp_path / "a.csv",
        np.vstack([time, ECG]).T,
        delimiter=",",
        header="time," + ",".join(LEADS),
    )
    np.testing.assert_allclose(read_record(tmp_path / "a.csv").signal, ECG, atol=1e-6)


@pytest.mark.parametrize("missing", [slice(0, 40), slice(60, 90), slice(T - 30, T)])
@pytest.mark.parametrize("part", [7, 10_000])
def test_samples_that_no_lead_has_keep_their_time(tmp_path, monkeypatch, missing, part):
    monkeypatch.setattr(csv_cells, "_PART", 100 * part)
    wanted = ECG.copy()
    wanted[:, missing] = np.nan
    (tmp_path / "a.csv").write_text(
        table(dict(zip(LEADS, wanted, strict=True)), ",", ".", quoted=False)
    )
    found = read_record(tmp_path / "a.csv", rate=RATE)
    np.testing.assert_allclose(found.signal, wanted, atol=1e-5)


def test_rows_without_even_a_time_at_the_end_are_none(tmp_path):
    rows = "".join(f"{i / 500},{np.sin(i / 9):.3f}\n" for i in range(500))
    (tmp_path / "a.csv").write_text("time,I\n" + rows + ",\n,\n")
    found = read_record(tmp_path / "a.csv")
    assert (found.rate, found.signal.shape) == (500, (12, 500))
    (tmp_path / "a.csv").write_text("time,I\n" + rows[:600] + ",\n" + rows[600:])
    with pytest.raises(RecordError):
        read_record(tmp_path / "a.csv")
