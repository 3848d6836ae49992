"""Invented header text: patient data, and the measurements that a device would print."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecgvision.core.errors import ConfigError

# low, high (exclusive) and step. The ranges cover normal adults and mild deviations. Our default:
# wide enough that no value is rare, without extremes that a device would comment on.
MEASUREMENTS: dict[str, tuple[int, int, int]] = {
    "rate": (48, 118, 1),  # beats per minute
    "pr": (118, 222, 2),  # ms
    "qrs": (72, 132, 2),
    "qt": (336, 462, 2),
    "qtc": (382, 472, 1),
    "p_axis": (-10, 80, 1),  # degrees
    "r_axis": (-40, 100, 1),
    "t_axis": (-20, 90, 1),
}


def invent(rng: np.random.Generator) -> dict[str, str]:
    """Return random fields for `Style.header_lines`, independent of the recording.

    A device prints what it measured, and a true heart rate or QRS duration would reveal the
    diagnosis to a network. The values are uniform and independent of each other, of the trace and
    of the label: id, date, time, age (years), sex and each of `MEASUREMENTS`.
    """
    number, year, month, day = (
        int(v) for v in rng.integers((10_000, 1990, 1, 1), (10**7, 2030, 13, 29))
    )
    hour, minute, age, sex = (int(v) for v in rng.integers((0, 0, 18, 0), (24, 60, 95, 2)))
    fields = {
        "id": str(number),
        "date": f"{year:04d}-{month:02d}-{day:02d}",
        "time": f"{hour:02d}:{minute:02d}",
        "age": str(age),
        "sex": ("Female", "Male")[sex],
    }
    for name, (low, high, step) in MEASUREMENTS.items():
        fields[name] = str(low + step * int(rng.integers((high - low) // step)))
    return fields


def fill(lines: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    """Return the lines with every field filled in.

    Raises:
        ConfigError: for a field that `invent` does not know.
    """
    fields = invent(rng)
    try:
        return tuple(line.format(**fields) for line in lines)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigError(
            "a header line has an unknown field", value=str(error),
            remedy=f"Known: {', '.join(fields)}",
        ) from error  # fmt: skip
