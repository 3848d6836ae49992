"""Common parts of conditions: functions of a generator and a beat that return a beat and its codes.

Durations, axes, voltages and ST criteria of the conditions are the textbook's
(Surawicz and Knilans, Chou's Electrocardiography, 6th ed.). How far a patient is beyond a criterion
is our default: ranges that are visible on a printed page and still overlap with normal variation.
"""

from __future__ import annotations

from data_prep.synthetic.dipole import Array, Beat

Codes = tuple[str, ...]
Result = tuple[Beat, Codes]


def add(beat: Beat, name: str, vector: Array) -> Beat:
    """Add a vector in mV to the repolarisation wave `name`."""
    return beat.with_waves("repol", **{name: beat.repol[name].moved(vector)})
