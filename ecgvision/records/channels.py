"""What every format gives: named channels that are read by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Window = Callable[[int, int, Sequence[int]], NDArray[np.floating[Any]]]
"""Function of start, stop (samples) and channels that returns (channels, stop - start) values in
each channel's unit, NaN where missing."""


@dataclass(frozen=True)
class Channels:
    """An open file of a record.

    Attributes:
        path: the file, for messages.
        names: of the channels, as written.
        units: of the channels, as written; None where the file does not state one.
        rate: Hz; None if the file does not state it.
        length: samples of each channel.
        read: reads a window; raises RecordError where the file is damaged.
        check: checks channels before they are read (calibration and unit); raises RecordError.
        meta: metadata of the source.
        notes: what reading changed so far.
        default_unit_note: note it where no unit is stated, because the format then has one.
    """

    path: Path
    names: tuple[str, ...]
    units: tuple[str | None, ...]
    rate: float | None
    length: int
    read: Window
    check: Callable[[Sequence[int]], None] = lambda channels: None
    meta: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    default_unit_note: bool = False
