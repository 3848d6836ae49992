"""Records written: read back by wfdb, and by our own reader."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import RecordError
from ecgvision.records.reading import read_record
from ecgvision.records.writing import check_path, write_record


def some(rate: float = 100.0) -> Ecg:
    signal = np.random.default_rng(0).normal(0, 0.7, (12, 321)).astype(np.float32)
    signal[2] = np.nan
    signal[5, :40] = np.nan
    signal[7, 300:] = np.nan
    return Ecg(signal, rate, "page")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of wfdb's own import
@pytest.mark.filterwarnings("ignore:.*inplace keyword.*")  # https://github.com/MIT-LCP/wfdb-python
def test_wfdb_reads_what_was_written(tmp_path: Path) -> None:
    ecg = some()
    files = write_record(ecg, tmp_path / "rec_1", comments=["confidence I: 0.9"])
    assert [f.name for f in files] == ["rec_1.hea", "rec_1.dat"]
    import wfdb

    found = wfdb.rdrecord(str(tmp_path / "rec_1"))
    assert found.sig_name == list(LEADS)
    assert (found.fs, found.units, found.sig_len) == (100, ["mV"] * 12, 321)
    assert found.comments == ["confidence I: 0.9"]
    np.testing.assert_allclose(found.p_signal.T, ecg.signal, atol=5.01e-4)  # NaN alike
    digital = wfdb.rdrecord(str(tmp_path / "rec_1"), physical=False)
    sums = digital.d_signal.sum(axis=0, dtype=np.int64) & 0xFFFF
    assert found.checksum == np.where(sums > 0x7FFF, sums - 0x10000, sums).tolist()
    assert digital.d_signal.min() == -32768


@pytest.mark.parametrize("name", ["r.csv", "r.hea", "r.dat", "r"])
def test_our_reader_reads_it_too(tmp_path: Path, name: str) -> None:
    ecg = some(250.0)
    files = write_record(ecg, tmp_path / name)
    found = read_record(files[0])
    assert found.rate == 250.0
    np.testing.assert_allclose(found.signal, ecg.signal, atol=5.01e-4)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f.name for f in files)


@pytest.mark.parametrize("name", ["a b", "r.edf", "r%"])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError):
        check_path(tmp_path / name)
    with pytest.raises(RecordError):
        check_path(tmp_path)


def test_what_does_not_fit_is_not_written(tmp_path: Path) -> None:
    ecg = some()
    ecg.signal[0, 0] = 40
    with pytest.raises(RecordError, match=r"40 mV.*\.csv"):
        write_record(ecg, tmp_path / "r")
    assert not list(tmp_path.iterdir())
    write_record(ecg, tmp_path / "r.csv")


def test_a_record_that_cannot_be_replaced_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(some(), tmp_path / "r")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    real = os.replace

    def fail(source: Path, target: Path) -> None:
        if Path(target).suffix == ".hea" and not str(source).endswith(".old"):
            raise OSError("no space left on the disk")
        real(source, target)

    monkeypatch.setattr("ecgvision.core.atomic_io.os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_record(Ecg(some().signal * 2, some().rate, "r"), tmp_path / "r")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
