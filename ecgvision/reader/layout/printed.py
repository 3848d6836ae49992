"""Where the leads of an arrangement are printed on the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecgvision.data.standard_page import ZERO_POINTS, PrintedLead
from ecgvision.reader.layout.arrangement import Arrangement
from ecgvision.reader.layout.rows import Row
from ecgvision.reader.rectify.mesh import Mesh


def printed_leads(
    arrangement: Arrangement, rows: Sequence[Row], mesh: Mesh, gain: float
) -> tuple[PrintedLead, ...]:
    """Return where each segment of an arrangement is printed, in pixels of the picture.

    Args:
        rows: that the segments name.
        mesh: from millimetres of paper to pixels of the picture.
        gain: mm/mV.
    """
    found = []
    for segment in arrangement.segments:
        x = np.linspace(segment.left, segment.right, ZERO_POINTS)
        y = np.full(ZERO_POINTS, rows[segment.row].y)
        zero = mesh.to_picture(np.stack([x, y], axis=-1))
        top = mesh.to_picture(np.stack([x, y - segment.sign * gain], axis=-1))
        stop = segment.start + (segment.right - segment.left) / arrangement.speed
        found.append(PrintedLead(segment.lead, segment.start, stop, zero, top - zero))
    return tuple(found)
