"""Whether numbers can be an ECG in mV: a wrong unit or rate is found by its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import RecordError
from ecgvision.records.option_names import OptionNames
from ecgvision.records.units import millivolts

RATES = (50.0, 2000.0)
"""Hz; the rates of diagnostic and ambulatory ECGs."""

RANGES = (0.02, 10.0)
"""mV, from the least to the largest value of the median lead. Of 2,532 records of PTB-XL and the
PhysioNet Challenges, the median lead spans 0.17 to 5.15 mV."""

_STANDARD = 1e-3  # of mean and deviation, which standardised records have to rounding
_USUAL = (0.15, 6.0)  # mV of the median lead; a unit that gives it is the likely one
_UNSTATED = 6.0  # mV; up to this, values without a unit are taken as mV
_STEPS = 40.0  # least range of an amplifier's whole numbers
_LIKELY = ("mV", "uV", "1e-4V", "V", "nV")


def plausible_rate(rate: float) -> bool:
    """Return whether a number is the rate of an ECG in Hz."""
    return RATES[0] <= rate <= RATES[1]


def check_rate(rate: float, path: Path, options: OptionNames) -> None:
    """Check a rate in Hz.

    Raises:
        RecordError: if it is no positive number, or not one of an ECG.
    """
    if not (np.isfinite(rate) and rate > 0):
        raise RecordError("rate must be a positive number of Hz", file=path, value=rate)
    if not plausible_rate(rate):
        cause = "times in ms" if 1000 * rate >= RATES[0] and rate < 1 else "a wrong rate"
        cause = "times in another unit" if rate > RATES[1] else cause
        raise RecordError(
            f"no ECG has this rate in Hz ({RATES[0]:g} to {RATES[1]:g}): it looks like {cause}",
            file=path, value=float(f"{rate:.6g}"),
            remedy=f"State the rate in Hz with {options.rate}",
        )  # fmt: skip


def standardised(signal: NDArray[np.floating]) -> str | None:
    """Return how values were scaled to lose their unit; None if they were not.

    Args:
        signal: (C, T), NaN where missing; leads without deflection tell nothing.
    """
    leads = [found for row in signal if (found := _Moments.of(row)) is not None]
    if not leads:
        return None
    for group in (leads, [_Moments.merged(leads)]):
        if all(
            abs(g.mean) < _STANDARD and abs(g.deviation - 1) < max(_STANDARD, 1 / g.size)
            for g in group
        ):
            return "mean 0 and deviation 1"
        ends = {(round(g.least, 6), round(g.most, 6)) for g in group}
        if len(leads) > 2 and len(ends) == 1 and min(ends) in ((0.0, 1.0), (-1.0, 1.0)):
            return f"values from {min(ends)[0]:g} to 1"
    if len(leads) > 2 and all(abs(max(-g.least, g.most) - 1) < 1e-6 for g in leads):
        return "a largest value of 1"
    return None


class _Moments(NamedTuple):
    """Size, mean, mean of squares, least and largest value of numbers."""

    size: int
    mean: float
    square: float
    least: float
    most: float

    @classmethod
    def of(cls, row: NDArray[np.floating]) -> _Moments | None:
        """Return those of a lead, NaN where missing; None if it has no deflection."""
        values = row[np.isfinite(row)].astype(np.float64)
        if values.size < 2 or np.ptp(values) == 0:
            return None
        least, most = float(values.min()), float(values.max())
        return cls(values.size, float(values.mean()), float(np.mean(values**2)), least, most)

    @classmethod
    def merged(cls, parts: Sequence[_Moments]) -> _Moments:
        """Return those of all numbers together."""
        size = sum(p.size for p in parts)
        return cls(
            size, sum(p.mean * p.size for p in parts) / size,
            sum(p.square * p.size for p in parts) / size,
            min(p.least for p in parts), max(p.most for p in parts),
        )  # fmt: skip

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        return math.sqrt(max(0.0, self.square - self.mean**2))


def median_range(signal: NDArray[np.floating]) -> float | None:
    """Return the range of the median lead; None if no lead has a deflection.

    Args:
        signal: (C, T), NaN where missing. A lead that is flat has no unit to tell, and does not
            count.
    """
    rows = (row[np.isfinite(row)] for row in signal)
    spans = [span for row in rows if row.size and (span := float(np.ptp(row))) > 0]
    return float(np.median(spans)) if spans else None


def plausible_amplitude(signal: NDArray[np.floating]) -> bool:
    """Return whether (C, T) values in mV are of the size of an ECG."""
    span = median_range(signal)
    return span is None or RANGES[0] <= span <= RANGES[1]


def check_amplitude(
    signal: NDArray[np.floating], path: Path, options: OptionNames, *, stated: str | None,
    millivolts_a_step: float, published: bool = False,
) -> None:  # fmt: skip
    """Check that values in mV are of the size of an ECG.

    Args:
        signal: (C, T) mV, NaN where missing.
        stated: the unit that was stated, by the file or the caller; None if nobody did.
        millivolts_a_step: by which the file's values became mV.
        published: of a data set whose unit is known; only amplitudes ten times beyond the bounds
            are refused, because an artefact may take a single record beyond them.

    Raises:
        RecordError: naming the size, the likely cause and the option that states the unit.
    """
    span = median_range(signal)
    if span is None:
        return
    unscaled = signal if millivolts_a_step == 1 else signal / millivolts_a_step
    if (how := standardised(unscaled)) is not None:
        raise RecordError(
            f"the leads are standardised ({how}), so the values have no unit",
            file=path,
            remedy=f"Give the record in mV, or in a unit that is stated with {options.unit}",
        )
    most = _UNSTATED if stated is None else RANGES[1]
    slack = 10.0 if published else 1.0
    if RANGES[0] / slack <= span <= most * slack:
        return
    steps = span / millivolts_a_step
    likely = [name for name in _LIKELY if _USUAL[0] <= steps * millivolts(name) <= _USUAL[1]]
    causes = [*likely, "an amplifier's steps" if steps > _STEPS else "another scale"]
    by = "in mV, as no unit is stated" if stated is None else f"in {stated}, as stated"
    raise RecordError(
        f"the median lead spans {span:.4g} mV if read {by}, which hardly any ECG does: the values "
        f"may be in {' or '.join(causes)}",
        file=path,
        remedy=f"State the unit with {options.unit}: V, mV, uV, nV or a multiple such as 1e-4V",
    )
