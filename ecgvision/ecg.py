"""The domain: leads in canonical order, the `Ecg` value, and the typed errors.

Everything here is numpy only, so that a base install can import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The twelve standard leads, in the order of every array in this project (AHA/ACC/HRS 2007)."""

LEAD_INDEX = {lead: i for i, lead in enumerate(LEADS)}


class EcgVisionError(ValueError):
    """Something the user can put right: what is wrong, where, with which value, and what to do.

    Command lines print it on one line and exit with 2.
    """

    def __init__(
        self, what: str, *, file: str | Path | None = None, value: Any = None, remedy: str = ""
    ) -> None:
        if "Original Traceback" in what:  # torch's text of what a loader's worker raised
            what = what.rstrip().splitlines()[-1].split(": ", 1)[-1]
        self.what, self.file, self.value, self.remedy = what, file, value, remedy
        text = f"{file}: {what}" if file is not None else what
        if value is not None:
            text += f" (got {value!r})"
        if remedy:
            text += f". {remedy}"
        super().__init__(" ".join(text.split()))

    def __reduce__(self) -> tuple[Any, ...]:  # keyword arguments survive worker processes
        return (_rebuild, (type(self), self.what, self.file, self.value, self.remedy))


def _rebuild(
    kind: type[EcgVisionError], what: str, file: str | None, value: Any, remedy: str
) -> EcgVisionError:
    return kind(what, file=file, value=value, remedy=remedy)


class RecordError(EcgVisionError):
    """A waveform record that cannot be read as a 12-lead ECG."""


class StoreError(EcgVisionError):
    """A packed store that is missing, damaged, half-written or of another version."""


class LabelError(EcgVisionError):
    """An unknown label scheme, a contradiction between labels, or a hash that differs."""


class LayoutError(EcgVisionError):
    """An unknown layout, or a page on which the layout does not fit."""


class ImageError(EcgVisionError):
    """A file that is not a readable picture of a page."""


class BundleError(EcgVisionError):
    """A student bundle that is incomplete or altered."""


class DataError(EcgVisionError):
    """Data that cannot serve the run asked for: an empty split, no positives, and the like."""


class ConfigError(EcgVisionError):
    """A configuration value that makes no sense."""


def lead_name(text: str) -> str:
    """The canonical name of a lead: `AVR`, `avr`, `aVR` and `Lead aVR` are all `aVR`.

    Raises:
        RecordError: for a name that is not one of the twelve.
    """
    key = text.strip().lower().removeprefix("lead").strip(" _-")
    for lead in LEADS:
        if lead.lower() == key:
            return lead
    raise RecordError("unknown lead", value=text, remedy=f"Known leads: {', '.join(LEADS)}")


@dataclass(frozen=True, eq=False)
class Ecg:
    """One recording.

    Attributes:
        signal: (12, T) float32 in mV, leads in the order of `LEADS`; NaN where not observed.
        rate: sampling rate in Hz.
        record_id: the record's name, for messages and tables.
        meta: what the source said of it (age, sex, patient_id, notes of the reader, ...).

    Raises:
        RecordError: if the shape, the type or the rate is not as stated.
    """

    signal: NDArray[np.float32]
    rate: float
    record_id: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = self.record_id or None
        if self.signal.ndim != 2 or self.signal.shape[0] != len(LEADS) or self.signal.shape[1] < 1:
            raise RecordError("signal must have shape (12, T)", file=name, value=self.signal.shape)
        if self.signal.dtype != np.float32:
            raise RecordError("signal must be float32 mV", file=name, value=str(self.signal.dtype))
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise RecordError("rate must be a positive number of Hz", file=name, value=self.rate)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.signal.shape[1] / self.rate

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(12, T) bool: True where a value was recorded."""
        return ~np.isnan(self.signal)
