"""Notes on a record: what reading changed in it or found in it.

A note is `kind` or `kind:detail`. `NOTES` has every kind with the sentence that commands print.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ecgvision.core.ecg import LEADS, Ecg

NOTES = {
    "reordered": "the leads stand in another order in the file",
    "missing": "{} not in the file: missing",
    "derived": "{} not in the file: derived from the other limb leads",
    "negated": "{} negated: the file names it with a minus",
    "dropped": "{} left out: not one of the twelve leads",
    "twice": "{} more than once in the file, with the same samples",
    "infinite": "infinite values are taken as missing",
    "unit": "values in {}, converted to mV",
    "unit_default": "the header states no unit: mV, as WFDB has it",
    "time": "times in {}",
    "rate": "taken as {} Hz, as stated: the file's own rate is no ECG's",
    "padding": "padding, not signal, at {}",
    "pulse": "a calibration pulse, not signal, at {}",
}
"""Sentence of each kind of note; `{}` stands for the details."""


def sentences(notes: Iterable[str]) -> list[str]:
    """Return one sentence for each kind of note, in the order of `NOTES`."""
    details: dict[str, list[str]] = {}
    for note in notes:
        kind, _, detail = note.partition(":")
        details.setdefault(kind, []).append(detail)
    return [
        sentence.format(", ".join(d for d in details[kind] if d))
        for kind, sentence in NOTES.items()
        if kind in details
    ]


def gaps(ecg: Ecg) -> list[str]:
    """Return one sentence for leads that are there, but have no value for a part of the time."""
    share = np.round(100 * (1 - ecg.observed.mean(axis=1))).astype(int)
    there = [row for row in range(len(LEADS)) if (~ecg.observed[row]).sum() > 0]
    absent = {note.partition(":")[2] for note in ecg.notes if note.startswith("missing:")}
    there = [row for row in there if LEADS[row] not in absent]
    parts: dict[int, list[str]] = {}
    for row in there:
        parts.setdefault(int(share[row]), []).append(LEADS[row])
    return [
        f"{'all leads' if len(leads) == len(LEADS) else ', '.join(leads)}: {percent} % of what was "
        "read has no value"
        for percent, leads in parts.items()
    ]
