"""Where a page shows each sample: in pixels of its picture, and in fractions of the network's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.core.page import Page
from ecgvision.data.network_input import placement
from ecgvision.render.artefacts import Warp


def sample_places(page: Page, length: int, rate: float, warp: Warp) -> NDArray[np.float64]:
    """Where 0 and 1 mV would stand at each sample: (2, 12, length, 2) x, y in pixels.

    NaN where the picture does not show the 0 mV. Where it shows it twice, the rhythm strip counts.

    Args:
        warp: from the page to the picture.
    """
    places = np.full((2, len(LEADS), length, 2), np.nan)
    for cell in page.cells:  # strips come last
        span = page.samples(cell, length, rate)
        seconds = np.arange(span.start, span.stop) / rate
        levels = np.zeros_like(seconds), np.ones_like(seconds)
        points = warp(np.stack([np.stack(page.to_pixel(cell, seconds, mv), -1) for mv in levels]))
        seen = inside(points[0], warp.size)
        places[:, LEAD_INDEX[cell.lead], span][:, seen] = points[:, seen]
    return places


def inside(points: NDArray[np.float64], picture: tuple[int, int]) -> NDArray[np.bool_]:
    """(...): which of the points (..., 2) x, y in pixels a picture of (height, width) shows."""
    return np.asarray(((points >= 0) & (points <= picture[::-1])).all(-1))


def network_fractions(
    points: NDArray[np.float64], picture: tuple[int, int], size: Sequence[int]
) -> NDArray[np.float32]:
    """Points (..., 2) of a picture as fractions of the network's width and height.

    The way of `to_network`.

    Args:
        picture: (height, width) of the picture.
        size: [height, width] of the network.
    """
    inner = placement(picture, size)
    x = (points[..., 0] * inner.width / picture[1] + inner.left) / size[1]
    y = (points[..., 1] * inner.height / picture[0] + inner.top) / size[0]
    return np.stack([x, y], axis=-1).astype(np.float32)
