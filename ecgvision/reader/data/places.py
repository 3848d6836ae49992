"""Position of each sample on a page: in pixels of its image, and as fractions of network input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.core.page import Page
from ecgvision.data.network_input import placement
from ecgvision.render.artefacts import Warp


def sample_places(page: Page, length: int, rate: float, warp: Warp) -> NDArray[np.float64]:
    """Return the points of 0 and 1 mV at each sample: (2, 12, length, 2) x, y in pixels.

    NaN where the 0 mV point is not in the image. If a sample is printed twice, the rhythm strip
    counts.

    Args:
        warp: from the page to the image.
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
    """Return which points (..., 2) x, y in pixels are in an image of (height, width), as (...)."""
    return np.asarray(((points >= 0) & (points <= picture[::-1])).all(-1))


def network_fractions(
    points: NDArray[np.float64], picture: tuple[int, int], size: Sequence[int]
) -> NDArray[np.float32]:
    """Convert points (..., 2) of an image to fractions of the network's width and height.

    Matches `to_network`.

    Args:
        picture: (height, width) of the image.
        size: [height, width] of the network.
    """
    inner = placement(picture, size)
    x = (points[..., 0] * inner.width / picture[1] + inner.left) / size[1]
    y = (points[..., 1] * inner.height / picture[0] + inner.top) / size[0]
    return np.stack([x, y], axis=-1).astype(np.float32)
