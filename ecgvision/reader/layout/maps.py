"""What the page network sees: maps of a flat page with one cell for every millimetre."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS

NAMES = (*LEADS, "-aVR")
"""Names of leads, as printed."""

MARKS = (*NAMES, "pulse")
"""What a page is searched for: names of leads, and calibration pulses."""

PX_PER_MM = 4
"""Resolution of the flat page that the network sees, in pixels per millimetre; a cell has 4 x 4."""


class PageMaps(NamedTuple):
    """Maps of a flat page; H and W are its size in whole millimetres.

    Attributes:
        marks: (len(MARKS), H, W), the probability that a mark has its middle in the cell.
        row: (H, W), the probability that the 0 mV line of a printed trace runs through the cell.
        offset: (H, W), how far below the cell's middle that line is, in mm.
        start, end: (H, W), the probability that the trace of a lead begins, or ends, there.
    """

    marks: NDArray[np.float32]
    row: NDArray[np.float32]
    offset: NDArray[np.float32]
    start: NDArray[np.float32]
    end: NDArray[np.float32]
