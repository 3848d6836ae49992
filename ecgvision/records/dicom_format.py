"""Records as DICOM waveform objects (PS3.3, C.10.9), read with pydicom."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import RecordError
from ecgvision.core.input_files import RECORD_IN_MEMORY, open_input
from ecgvision.records.channels import Channels

SUFFIXES = (".dcm", ".dicom")
_WAVEFORM = b"1.2.840.10008.5.1.4.1.1.9."
"""Beginning of the classes of waveform objects (PS3.4, table B.5-1)."""

_RAW = {(8, "SB"): "<i1", (8, "UB"): "<u1", (16, "SS"): "<i2", (16, "US"): "<u2",
        (32, "SL"): "<i4", (32, "UL"): "<u4"}  # fmt: skip


def is_dicom(path: Path) -> bool:
    """Return whether a file has the mark of PS3.10, section 7.1, or is called as one that has."""
    try:
        with open_input(path) as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return path.suffix.lower() in SUFFIXES


def is_waveform(path: Path) -> bool:
    """Return whether a DICOM file is a waveform object, by the class that its header states."""
    try:
        with open_input(path) as file:
            start = file.read(4096)
    except (OSError, ValueError):
        return False
    return start[128:132] == b"DICM" and _WAVEFORM in start


def open_dicom(path: Path) -> Channels:
    """Open the longest group of channels of a waveform object.

    Raises:
        RecordError: if pydicom is not installed; if the file is damaged, no waveform, or does not
            state what its samples mean.
    """
    try:
        import pydicom
    except ImportError as error:
        raise RecordError("a DICOM file is read with pydicom, which is not installed", file=path,
                          remedy="pip install 'ecgvision[files]' (in the checkout '.[files]')",
                          ) from error  # fmt: skip
    try:
        with open_input(path, limit=RECORD_IN_MEMORY) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(file)
            groups = list(dataset.get("WaveformSequence") or ())
    except OSError as error:
        raise RecordError("the file cannot be read", file=path, value=error.strerror) from None
    except Exception as error:  # of a damaged file pydicom raises exceptions of many kinds
        raise RecordError("the DICOM file cannot be read", file=path,
                          value=str(error)[:100]) from error  # fmt: skip
    if not groups:
        raise RecordError("the DICOM file holds no waveform", file=path,
                          value=str(dataset.get("Modality", "")) or None,
                          remedy="Pictures are read by `ecgvision digitize`")  # fmt: skip
    try:
        return _channels(max(groups, key=lambda g: int(g.NumberOfWaveformSamples)), path)
    except RecordError:
        raise
    except Exception as error:
        raise RecordError("the waveform is damaged", file=path, value=str(error)[:100],
                          remedy="Copy the file again") from error  # fmt: skip


def _channels(group: Any, path: Path) -> Channels:
    samples, count = int(group.NumberOfWaveformSamples), int(group.NumberOfWaveformChannels)
    kind = (int(group.WaveformBitsAllocated), str(group.WaveformSampleInterpretation))
    definitions = list(group.ChannelDefinitionSequence)
    if kind not in _RAW or len(definitions) != count:
        raise RecordError("a waveform of this kind is not read", file=path,
                          value=(*kind, count, len(definitions)))  # fmt: skip
    dtype = np.dtype(_RAW[kind])
    data = bytes(group.WaveformData)
    if len(data) < samples * count * dtype.itemsize:
        raise RecordError("the waveform is cut short", file=path, value=f"{len(data)} bytes",
                          remedy="Copy the file again")  # fmt: skip
    raw = np.frombuffer(data, dtype, samples * count).reshape(samples, count)
    padding = group.get("WaveformPaddingValue")
    if isinstance(padding, bytes):
        padding = int(np.frombuffer(padding, dtype, 1)[0])
    known = ["ChannelSensitivity" in one for one in definitions]
    factors = np.array([_factor(one) for one in definitions])
    offsets = np.array([float(one.get("ChannelBaseline", 0) or 0) for one in definitions])

    def read(start: int, stop: int, channels: Sequence[int]) -> NDArray[np.float64]:
        steps = raw[start:stop, list(channels)].T.astype(np.float64)
        if padding is not None:
            steps[steps == padding] = np.nan
        chosen = list(channels)
        return steps * factors[chosen, None] + offsets[chosen, None]

    def check(channels: Sequence[int]) -> None:
        if missing := [names[c] for c in channels if not known[c]]:
            raise RecordError("channels do not state their sensitivity", file=path,
                              value=", ".join(missing))  # fmt: skip

    names = tuple(_name(one) for one in definitions)
    units = tuple(_unit(one) for one in definitions)
    return Channels(path, names, units, float(group.SamplingFrequency), samples, read, check)


def _factor(definition: Any) -> float:
    correction = definition.get("ChannelSensitivityCorrectionFactor")
    return float(definition.get("ChannelSensitivity", 1)) * float(correction or 1)


def _name(definition: Any) -> str:
    source = definition.get("ChannelSourceSequence")
    return str(source[0].CodeMeaning if source else definition.get("ChannelLabel", ""))


def _unit(definition: Any) -> str | None:
    unit = definition.get("ChannelSensitivityUnitsSequence")
    return str(unit[0].CodeValue) if unit else None
