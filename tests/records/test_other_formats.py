"""Files of other formats are refused by the format's name, recognised by suffix or by their first bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgvision.core.errors import RecordError
from ecgvision.deploy.predict_signal import is_record
from ecgvision.records.inputs import record_inputs
from ecgvision.records.other_formats import SIGNATURES, SUFFIXES
from ecgvision.records.reading import read_record
from tests.records.made_records import ecg_mv, write_wfdb


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_by_suffix_whether_the_file_is_there_or_not(tmp_path, suffix, upper):
    file = tmp_path / f"a{suffix.upper() if upper else suffix}"
    for _ in range(2):
        with pytest.raises(
            RecordError, match=r"not read from this format.*WFDB .*CSV, npy and DICOM"
        ):
            read_record(file)
        file.write_bytes(b"anything")


@pytest.mark.parametrize("suffix", ["", ".dat", ".mat", ".bin"])
@pytest.mark.parametrize(("at", "mark", "name"), SIGNATURES)
def test_by_first_bytes_under_any_name(tmp_path, at, mark, name, suffix):
    (tmp_path / f"a{suffix}").write_bytes(bytes(at) + mark + b"rest")
    with pytest.raises(RecordError, match=f"not read from this format: {name}"):
        read_record(tmp_path / f"a{suffix}")


def test_a_file_of_no_known_format_and_a_folder(tmp_path):
    (tmp_path / "a.foo").write_bytes(b"x")
    with pytest.raises(RecordError, match=r"not read from this format: \.foo"):
        read_record(tmp_path / "a.foo")
    (tmp_path / "a.DCM").write_bytes(bytes(200))
    with pytest.raises(RecordError, match="format: a file without the mark of DICOM"):
        read_record(tmp_path / "a.DCM")


@pytest.mark.parametrize("folder", [".", "..", "/", "", "sub", "sub/", "sub/.."])
def test_a_folder_in_any_spelling(tmp_path, monkeypatch, folder):
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError, match="this is a folder"):
        read_record(folder)
    assert record_inputs(folder)[0] == Path(folder)
    assert not is_record(folder)


@pytest.mark.parametrize("name", ["a.xml", "a.csv", "a.npy", "12.5mm", "a.dcm"])
def test_a_wfdb_record_may_have_such_a_name(tmp_path, name):
    header = write_wfdb(tmp_path, ecg_mv(), name="r")
    header.rename(tmp_path / f"{name}.hea")
    assert read_record(tmp_path / name).signal.shape == (12, 1000)
