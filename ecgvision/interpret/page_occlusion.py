"""Occlusion of a picture: how much a logit falls when a square of the page becomes bare paper.

Where the page's geometry is known, the map of the picture becomes one of leads and samples.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.core.page import Page
from ecgvision.data.network_input import placement

ACROSS = 32
"""Squares over the width of the picture (our default: about 0.3 s of a ten-second page)."""

BATCH = 32
"""Pictures per call of the network (our default)."""

Answer = Callable[[NDArray[np.uint8]], NDArray[np.floating]]
"""Function of pictures (B, 3, H, W) uint8 with the result (B, C), logits."""


def page_occlusion(
    answer: Answer, image: NDArray[np.uint8], label: int, *, across: int = ACROSS
) -> NDArray[np.float64]:
    """Return the fall of a label's logit for each pixel, in logits; its sum over a square is the
    fall when that square is covered.

    Args:
        answer: of the network.
        image: (H, W, 3) uint8, at the network's size.
        label: column of the logits.
        across: squares over the width.

    Raises:
        ConfigError: for no squares, or more than the picture has pixels.
    """
    height, width = image.shape[:2]
    if not 1 <= across <= width:
        raise ConfigError("squares over the width of the picture must be from 1 to its pixels",
                          value=across)  # fmt: skip
    down = max(1, round(height / (width / across)))
    rows, columns = (np.linspace(0, n, k + 1).round().astype(int)
                     for n, k in ((height, down), (width, across)))  # fmt: skip
    paper = np.median(image.reshape(-1, 3), axis=0).astype(np.uint8)
    squares = [(slice(top, bottom), slice(left, right)) for top, bottom in pairwise(rows)
               for left, right in pairwise(columns)]  # fmt: skip
    before = float(answer(image.transpose(2, 0, 1)[None])[0, label])
    heat = np.zeros((height, width))
    for start in range(0, len(squares), BATCH):
        chosen = squares[start : start + BATCH]
        covered = np.repeat(image[None], len(chosen), axis=0)
        for picture, square in zip(covered, chosen, strict=True):
            picture[square] = paper
        after = answer(np.ascontiguousarray(covered.transpose(0, 3, 1, 2)))[:, label]
        for square, value in zip(chosen, after, strict=True):
            heat[square] = (before - float(value)) / heat[square].size
    return heat


def to_leads(
    heat: NDArray[np.float64], page: Page, *, length: int, rate: float
) -> NDArray[np.float64]:
    """Map the heat of a picture through the page's geometry to leads and samples.

    A sample gets the heat of its share of the column of pixels at its time, over the height of its
    row. Heat outside all rows, as of the header, is lost.

    Args:
        heat: (H, W) of the picture at the network's size, in which the page stands as `to_network`
            puts it.
        page: the page, without artefacts.
        length, rate: samples and Hz of the result.

    Returns:
        (12, length); NaN where nothing is printed.
    """
    place = placement(page.size, heat.shape)
    down, over = place.height / page.size[0], place.width / page.size[1]
    total = np.zeros((len(LEADS), length))
    columns = np.cumsum(np.vstack([np.zeros(heat.shape[1]), heat]), axis=0)  # sums from the top
    reach = page.row_mm / 2 * page.px_per_mm
    for cell in page.cells:
        samples = page.samples(cell, length, rate)
        seconds = np.arange(samples.start, samples.stop) / rate
        x, y = page.to_pixel(cell, seconds, 0.0)
        top, bottom = (
            int(np.clip(round((float(np.ravel(y)[0]) + d) * down) + place.top, 0, len(heat)))
            for d in (-reach, reach)
        )
        at = np.clip((x * over).astype(int) + place.left, 0, heat.shape[1] - 1)
        per_sample = page.speed / rate * page.px_per_mm * over  # columns that a sample covers
        band = columns[bottom] - columns[top]
        total[LEAD_INDEX[cell.lead], samples] += band[at] * per_sample
    total[~page.observed(length, rate)] = np.nan
    return total
