"""Names by which a caller states what a file leaves out, so that an error names the right one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OptionNames:
    """How to state the rate, the unit and the orientation of a record, where the error is read."""

    rate: str
    unit: str
    orientation: str


API = OptionNames("rate=", "unit=", "orientation=")
COMMAND = OptionNames("--rate", "--unit", "--orientation")
