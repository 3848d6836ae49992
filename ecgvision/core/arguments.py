"""Types of command-line arguments: numbers in a stated range, and nothing that is none.

Each is a function for `type=` of argparse, whose error names the option, the value and the range.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

from ecgvision.core.processors import usable_cores

Value = TypeVar("Value")


def number(least: float, most: float, unit: str = "") -> Callable[[str], float]:
    """Return the type of a finite number in `least` to `most`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:  # NaN lies in no range
            wanted = f"must be a number from {least:g} to {most:g} {unit}".rstrip()
            raise argparse.ArgumentTypeError(f"{wanted}, not {_shown(text)}")
        return value

    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return the type of a whole number in `least` to `most`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:  # also for thousands of digits
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {least} to {most}, not {_shown(text)}"
            )
        return value

    return parse


def jobs(text: str) -> int:
    """Parse a number of processes from 1; more than the usable cores are as many as these."""
    return min(COUNT(text), usable_cores())


def pixel_size(text: str) -> tuple[int, int]:
    """Parse HEIGHTxWIDTH in pixels, each 1 to 20000."""
    height, width = _pair(text, whole(1, 20_000))
    return height, width


def paper_size(text: str) -> tuple[float, float]:
    """Parse HEIGHTxWIDTH in mm, each 10 to 10000."""
    height, width = _pair(text, number(10, 10_000, "mm"))
    return height, width


def _pair(text: str, parse: Callable[[str], Value]) -> list[Value]:
    parts = text.lower().split("x")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"is written HEIGHTxWIDTH, not {_shown(text)}")
    return [parse(part) for part in parts]


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


COUNT = whole(1, 10**9)
SEED = whole(0, 2**32 - 1)
THREADS = whole(0, 10**6)
"""Of ONNX Runtime, which takes at most the usable cores."""

RATE = number(1, 100_000, "Hz")
OUT_RATE = number(50, 2000, "Hz")
"""Of digitised records."""

RESOLUTION = number(1, 40, "pixels per millimetre")
SPEED = number(0.1, 1000, "mm/s")
GAIN = number(0.01, 1000, "mm/mV")
DPI = number(1, 5000, "pixels an inch")
SECONDS = number(0.001, 10**6, "s")
START = number(0, 10**6, "s")
STRENGTH = number(0, 1)
POINTS = number(0.01, 100, "points")
