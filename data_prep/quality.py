"""Quality flags of a recording, and the quality report of a source.

A flag is `kind` or `kind:lead`. `RULES` describes each kind and what packing does with such a
record; the checks change nothing. Thresholds without a source are our defaults.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS

PAGE_SECONDS = 10.0  # duration of a standard page
FLAT_MV = 1e-3  # one step of the usual 1 uV quantisation
FLAT_SECONDS = 1.0  # longer than a pause between beats at 60/min is exactly constant
CLIP_SECONDS, CLIP_SAMPLES, CLIP_MV = 0.04, 5, 0.5  # a QRS peak is not constant this long
AMPLITUDE_MV = (0.1, 6.0)  # peak to peak of the median lead; outside it the unit is suspect
EINTHOVEN_MV = 0.05  # half a small square: on true limb leads II = I + III up to rounding

RULES = {
    "missing": "a lead is not there, or has no value at all: kept, the lead is NaN",
    "nan": "a lead has some missing values: kept, they are NaN",
    "infinite": "infinite values: kept, they are NaN",
    "flat": f"a lead varies by no more than {FLAT_MV:g} mV: kept as it is",
    "flat_part": f"a lead stands still for {FLAT_SECONDS:g} s or more: kept as it is",
    "clipped": f"a lead rests at its extreme for {CLIP_SECONDS * 1000:g} ms or more: kept as it is",
    "short": f"shorter than {PAGE_SECONDS:g} s: kept; a page shows the rest as missing",
    "amplitude": f"the median lead spans less than {AMPLITUDE_MV[0]:g} or more than "
    f"{AMPLITUDE_MV[1]:g} mV, so the unit may be wrong: kept as stated",
    "limb_leads": f"II differs from I + III by more than {EINTHOVEN_MV:g} mV in the median, so "
    "leads may be swapped or misnamed: kept as stated",
    "reordered": "leads stood in another order: put in the canonical order",
    "negated": "a lead was named with a minus (-aVR): its sign was changed",
    "derived": "a limb lead was not there: derived from two others",
    "dropped": "a channel is none of the twelve leads, or counts the samples: left out",
    "twice": "a lead stood there more than once with the same samples: taken once",
    "unit": "another unit than mV was stated: converted to mV",
    "unit_default": "no unit was stated, which in WFDB means mV: kept",
    "time": "times were in another unit than s: converted, or only counted the samples",
    "rate": "the file's own rate is no ECG's: taken as the manifest states it",
    "pulse": "a calibration pulse at an end: kept as signal unless it was cut off",
    "padding": "all leads constant at an end, where nothing was recorded: kept unless cut off",
    "trimmed": "calibration pulses and padding at the ends were cut off (--trim)",
    "resampled": "another rate than the store's: resampled",
}


def check(signal: NDArray[np.float32], rate: float) -> list[str]:
    """Return the flags of one recording.

    Args:
        signal: (12, T) mV, NaN where missing.
        rate: Hz.
    """
    return check_leads(signal.__getitem__, signal.shape[1], rate)


def check_leads(lead: Callable[[int], NDArray[np.float32]], length: int, rate: float) -> list[str]:
    """Return the flags of one recording that is read lead by lead, so that it may be long.

    Args:
        lead: function from a row of `LEADS` to (T,) mV, NaN where missing; called once for each
            row, and once more for I, II and III.
        length: T.
        rate: Hz.
    """
    flags, spans = [], []
    for row, name in enumerate(LEADS):
        found, span = _lead_flags(lead(row), rate)
        flags += [f"{kind}:{name}" for kind in found]
        spans += [] if span is None else [span]
    if length < round(PAGE_SECONDS * rate):
        flags.append("short")
    if spans and not AMPLITUDE_MV[0] <= float(np.median(spans)) <= AMPLITUDE_MV[1]:
        flags.append("amplitude")
    off = lead(0) + lead(2)
    off -= lead(1)
    off = np.abs(off[~np.isnan(off)])
    if off.size and float(np.median(off)) > EINTHOVEN_MV:
        flags.append("limb_leads")
    return flags


def _lead_flags(values: NDArray[np.float32], rate: float) -> tuple[list[str], float | None]:
    """Return the kinds of flags of one lead, and its range in mV (None without a value)."""
    missing = np.isnan(values)
    if missing.all():
        return ["missing"], None
    flags = ["nan"] if missing.any() else []
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if high - low <= FLAT_MV:
        return [*flags, "flat"], high - low
    if _longest_run(values) >= max(FLAT_SECONDS * rate, 2):
        flags.append("flat_part")
    enough = max(round(CLIP_SECONDS * rate), CLIP_SAMPLES)
    if any(
        abs(level) >= CLIP_MV and _longest_run(values, at=level) >= enough for level in (low, high)
    ):
        flags.append("clipped")
    return flags, high - low


def _longest_run(values: NDArray[np.float32], *, at: float | None = None) -> int:
    """Return the longest run of equal samples (of value `at`, if given); NaN equals nothing."""
    if at is None:
        same = values[1:] == values[:-1]
        extra = 1
    else:
        same = values == np.float32(at)
        extra = 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max()) + extra if len(edges) else extra


def report(
    source: str,
    flags: Iterable[tuple[str, list[str]]],
    skipped: Iterable[tuple[str, str]],
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Build the quality report of a source, for JSON.

    Args:
        source: its name.
        flags: (record_id, flags) of every record that was kept.
        skipped: (record_id, reason) of every record that could not be read.
        facts: further entries (rate, label columns, policies).
    """
    kept = list(flags)
    left_out = [{"record_id": record, "reason": reason} for record, reason in skipped]
    by_kind: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record, marks in kept:
        for mark in marks:
            kind, _, detail = mark.partition(":")
            by_kind[kind][record].append(detail)
    return {
        "source": source,
        **facts,
        "records": len(kept) + len(left_out),
        "kept": len(kept),
        "without_flags": sum(not marks for _, marks in kept),
        "skipped": left_out,
        "flags": {
            kind: {
                "count": len(by_kind[kind]),
                "done": RULES[kind],
                "records": {r: [d for d in details if d] for r, details in by_kind[kind].items()},
            }
            for kind in RULES
        },
    }


def summary(quality: dict[str, Any]) -> str:
    """Format a quality report as a few lines of text."""
    lines = [
        f"{quality['source']}: {quality['records']} records, {quality['kept']} kept, "
        f"{quality['without_flags']} of them without a flag, {len(quality['skipped'])} skipped"
    ]
    for kind, found in quality["flags"].items():
        if found["count"]:
            lines.append(f"  {kind:<11}{found['count']:>7}  {found['done']}")
    lines += [f"  skipped {s['record_id']}: {s['reason']}" for s in quality["skipped"][:10]]
    if len(quality["skipped"]) > 10:
        lines.append(f"  ... and {len(quality['skipped']) - 10} more, listed in quality.json")
    return "\n".join(lines)
