"""The twelve leads in canonical order, and the `Ecg` data class.

The module imports numpy only, so that a base install can use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import RecordError

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The twelve standard leads, in the order of every array in this project (AHA/ACC/HRS 2007)."""

LEAD_INDEX = {lead: i for i, lead in enumerate(LEADS)}


@dataclass(frozen=True, eq=False)
class Ecg:
    """One 12-lead recording.

    Attributes:
        signal: (12, T) float32 in mV, leads in the order of `LEADS`; NaN where not observed.
        rate: sampling rate in Hz.
        record_id: the record's name, for messages and tables.
        meta: metadata of the source (age, sex, comments, ...).
        notes: what reading changed or found, as `kind` or `kind:detail` (see
            `ecgvision.records.notes`).

    Raises:
        RecordError: if the shape, the dtype or the sampling rate is invalid.
    """

    signal: NDArray[np.float32]
    rate: float
    record_id: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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
