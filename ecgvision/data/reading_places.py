"""Where a page shows each sample: in pixels of its picture, and in fractions of the network's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgvision.ecg import LEAD_INDEX, LEADS
from ecgvision.page import Page
from ecgvision.render.artefacts import Warp


def sample_places(
    page: Page, length: int, rate: float, warp: Warp | None, *, mv: float = 0.0
) -> NDArray[np.float64]:
    """Where `mv` millivolts would stand at each sample: (12, length, 2) x, y in pixels.

    NaN where the page does not show the sample. Where it shows it twice, the rhythm strip counts.
    """
    places = np.full((len(LEADS), length, 2), np.nan)
    for cell in page.cells:  # strips come last
        span = page.samples(cell, length, rate)
        seconds = np.arange(span.start, span.stop) / rate
        x, y = page.to_pixel(cell, seconds, np.full_like(seconds, mv))
        points = np.stack([x, y], axis=-1)
        places[LEAD_INDEX[cell.lead], span] = points if warp is None else warp(points)
    return places


def network_fractions(
    points: NDArray[np.float64], picture: tuple[int, int], size: Sequence[int]
) -> NDArray[np.float32]:
    """Points (..., 2) of a picture as fractions of the network's width and height.

    The way of `to_network`: aspect kept, equal margins.

    Args:
        picture: (height, width) of the picture.
        size: [height, width] of the network.
    """
    scale = min(size[0] / picture[0], size[1] / picture[1])
    inner = [min(s, max(1, round(p * scale))) for s, p in zip(size, picture, strict=True)]
    margin = [(s - i) // 2 for s, i in zip(size, inner, strict=True)]
    x = (points[..., 0] * inner[1] / picture[1] + margin[1]) / size[1]
    y = (points[..., 1] * inner[0] / picture[0] + margin[0]) / size[0]
    return np.stack([x, y], axis=-1).astype(np.float32)
