"""DICOM waveform objects: samples by sensitivity, baseline and unit; what lacks them is refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage, generate_uid

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.records.reading import read_record
from tests.records.made_records import ecg_mv

RATE = 500.0


def code(meaning: str, value: str = "1") -> list[Dataset]:
    made = Dataset()
    made.CodeValue, made.CodeMeaning, made.CodingSchemeDesignator = value, meaning, "UCUM"
    return [made]


def group(mv: np.ndarray, *, unit: str = "uV", step: float = 2.5, baseline: float = 0.0) -> Dataset:
    """A group of channels of the twelve leads, in steps of `step` units."""
    made = Dataset()
    size = 1000.0 if unit == "uV" else 1.0
    raw = np.round((mv * size - baseline) / step).astype("<i2")
    made.NumberOfWaveformChannels, made.NumberOfWaveformSamples = mv.shape
    made.SamplingFrequency, made.WaveformOriginality = RATE, "ORIGINAL"
    made.WaveformBitsAllocated, made.WaveformSampleInterpretation = 16, "SS"
    made.ChannelDefinitionSequence = []
    for lead in LEADS[: len(mv)]:
        one = Dataset()
        one.ChannelSourceSequence = code(
            f"Lead {lead} (Einthoven)" if lead == "I" else f"Lead {lead}"
        )
        one.ChannelSensitivity, one.ChannelSensitivityCorrectionFactor = step, 1
        one.ChannelSensitivityUnitsSequence = code("unit", unit)
        one.ChannelBaseline, one.WaveformBitsStored = baseline, 16
        made.ChannelDefinitionSequence.append(one)
    made.WaveformData = raw.T.tobytes()
    return made


def write(file: Path, groups: list[Dataset]) -> Path:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = TwelveLeadECGWaveformStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.Modality, made.WaveformSequence = "ECG", groups
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    file.write_bytes(out.getvalue())
    return file


@pytest.mark.parametrize(("unit", "step", "baseline"), [("uV", 2.5, 0), ("mV", 0.004, 0.02)])
def test_samples_are_read_in_millivolts(
    tmp_path: Path, unit: str, step: float, baseline: float
) -> None:
    mv = ecg_mv()
    file = write(tmp_path / "a.dcm", [group(mv, unit=unit, step=step, baseline=baseline)])
    found = read_record(file)
    assert found.rate == RATE
    np.testing.assert_allclose(found.signal, mv, atol=0.003)
    for name in ("b.dcm", "without_suffix"):
        (tmp_path / name).write_bytes(file.read_bytes())
        assert read_record(tmp_path / name).signal.shape == mv.shape


def test_the_longest_group_is_the_record(tmp_path: Path) -> None:
    mv = ecg_mv()
    found = read_record(write(tmp_path / "a.dcm", [group(mv[:, :300]), group(mv)]))
    assert found.signal.shape == mv.shape


def test_padding_is_missing(tmp_path: Path) -> None:
    made = group(ecg_mv())
    raw = np.frombuffer(made.WaveformData, "<i2").copy().reshape(-1, 12)
    raw[-100:] = -32768
    made.WaveformData = raw.tobytes()
    made.add_new("WaveformPaddingValue", "SS", -32768)
    found = read_record(write(tmp_path / "a.dcm", [made])).signal
    assert np.isnan(found[:, -100:]).all()
    assert np.isfinite(found[:, :-100]).all()


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    short = group(ecg_mv())
    short.WaveformData = short.WaveformData[:100]
    without = group(ecg_mv())
    for one in without.ChannelDefinitionSequence:
        del one.ChannelSensitivity
    for said, groups in {"cut short": [short], "sensitivity": [without], "no waveform": []}.items():
        with pytest.raises(RecordError, match=said):
            read_record(write(tmp_path / "a.dcm", groups))
    whole = write(tmp_path / "a.dcm", [group(ecg_mv())]).read_bytes()
    for tenth in range(10):
        (tmp_path / "b.dcm").write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(RecordError):
            read_record(tmp_path / "b.dcm")
    with pytest.raises(RecordError, match="cannot be read"):
        read_record(tmp_path / "absent.dcm")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.dcm", [group(ecg_mv())])
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(RecordError, match=r"pydicom.*not installed.*\[files\]"):
        read_record(file)
