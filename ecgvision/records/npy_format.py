"""Records as a .npy array of 12 leads, read through a memory map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.records.channels import Channels
from ecgvision.records.option_names import OptionNames

Orientation = Literal["leads-first", "time-first"]
ORIENTATIONS: tuple[Orientation, ...] = ("leads-first", "time-first")
"""Axes of an array: (12, T) or (T, 12)."""


def open_npy(
    path: Path, *, unit: str | None, orientation: str | None, options: OptionNames
) -> Channels:
    """Open an array.

    Args:
        unit: of the values, if the caller states one; arrays of whole numbers need it.
        orientation: None means leads first.

    Raises:
        RecordError: if the file is no array of numbers in that orientation.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RecordError(f"the file cannot be read ({error})", file=path) from None
    kinds = "f" if unit is None else "fiu"
    if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds:
        raise RecordError(
            "the file must hold an array of floating-point numbers, in mV", file=path,
            value=str(getattr(array, "dtype", type(array).__name__)),
            remedy=f"State the unit of whole numbers with {options.unit}, or divide a converter's "
            "counts by its gain",
        )  # fmt: skip
    wanted = orientation or "leads-first"
    signal = array.T if wanted == "time-first" else array
    if signal.ndim != 2 or signal.shape[0] != len(LEADS) or signal.shape[1] < 1:
        shape = "(12, T)" if wanted == "leads-first" else "(T, 12)"
        other = next(o for o in ORIENTATIONS if o != wanted)
        fits = array.ndim == 2 and array.shape[wanted == "leads-first"] == len(LEADS)
        raise RecordError(
            f"the array must have shape {shape}", file=path, value=array.shape,
            remedy=f"If its axes stand so, state {other} with {options.orientation}" if fits
            else f"It holds the leads {', '.join(LEADS)}, values in mV",
        )  # fmt: skip

    def read(start: int, stop: int, channels: Sequence[int]) -> NDArray[np.float64]:
        return np.array(signal[:, start:stop][list(channels)], np.float64)

    return Channels(path, LEADS, (None,) * len(LEADS), None, signal.shape[1], read)
