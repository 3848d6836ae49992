"""Units of voltage, as files and users write them."""

from __future__ import annotations

import math
import re

from ecgvision.core.errors import RecordError

UNITS = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6}
"""Millivolts per unit, by the unit's lower-case name: archives write both mV and mv."""

_UNIT = re.compile(r"(?P<factor>\d*\.?\d+(?:e[-+]?\d+)?)?\s*(?P<unit>\w+)", re.IGNORECASE)


def known_unit(text: str) -> bool:
    """Return whether the text is a unit of voltage by itself, as in the header of a file."""
    return text.strip().lower() in UNITS


def millivolts(text: str) -> float:
    """Return the millivolts of one step: 1 for `mV`, 0.001 for `uV`, 0.1 for `0.1mV` or `1e-4V`.

    Raises:
        RecordError: if the text is no unit of voltage.
    """
    found = _UNIT.fullmatch(str(text).strip())
    factor = float(found["factor"] or 1) if found else 0.0
    if found is None or found["unit"].lower() not in UNITS or not 0 < factor < math.inf:
        raise RecordError("unknown unit", value=text,
                          remedy="Use V, mV, uV or nV, or a multiple such as 1e-4V")  # fmt: skip
    return factor * UNITS[found["unit"].lower()]
