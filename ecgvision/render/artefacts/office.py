"""Artefacts of fax machines and copiers: black-and-white images, and marks of rollers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.render.artefacts.bands import BAND_PX
from ecgvision.render.artefacts.borrowed import mix
from ecgvision.render.artefacts.parts import Draw, Image, clouds

FAX_DPI = 204.0  # horizontal; vertical 196 lines per inch in fine mode, 98 in standard (ITU-T T.4)

BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
"""Bayer's (1973) order of thresholds, 4 x 4."""


def _lines(image: Image, draw: Draw) -> NDArray[np.uint8]:
    """Return the grey page at the resolution of a fax.

    Weak strengths use the fine mode, others the standard mode. The highest strengths use even fewer
    lines, as when a machine requests a coarser page.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    down = 196.0 if draw.strength < 0.35 else 98.0 if draw.strength < 0.85 else 80.0
    # dots smaller than half a pixel would average to grey
    across, along = (min(dpi / draw.dpi, 2.0) for dpi in (FAX_DPI, down))
    wanted = max(1, round(width * across)), max(1, round(height * along))
    way = cv2.INTER_AREA if wanted[1] < height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, wanted, interpolation=way), np.uint8)


def _received(lines: NDArray[np.uint8], image: Image, draw: Draw) -> Image:
    """Return the bilevel page at the image's size, with lines lost in transmission."""
    rows = len(lines)
    for _ in range(int(draw.rng.poisson(2.5 * draw.strength))):
        first = int(draw.rng.integers(rows))
        many = 1 + int(draw.rng.integers(2))
        lines[first : first + many] = lines[max(0, first - 1)]  # lost lines repeat the previous one
    height, width = image.shape[:2]
    way = cv2.INTER_AREA if width < lines.shape[1] else cv2.INTER_LINEAR
    grey = cv2.resize(lines, (width, height), interpolation=way)
    page = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    return mix(image, page, min(1.0, 4 * draw.strength))


def _fine(draw: Draw) -> float:
    """Return how well the image resolves a machine's single dots, in (0, 1].

    A pixel of a coarse image holds many dots and many grey edges, so an edge that is hard in the
    machine looks soft. 80 dpi, where a trace is about a pixel wide, resolves it (our default).
    """
    return min(1.0, draw.dpi / 80.0)


def fax_text(image: Image, draw: Draw) -> Image:
    """Fax in text mode: black or white dots, by a threshold that follows the paper's tone."""
    grey = _lines(image, draw)
    near = cv2.blur(grey, (grey.shape[1] // 80 * 2 + 1, grey.shape[0] // 80 * 2 + 1))
    fine = _fine(draw)
    least = draw.between(18, 55) * fine  # how much darker than its surroundings a dot must be
    ramp = (np.arange(256) - least) * (255 / (1 + 160 * (1 - fine)))
    table = (255 - np.clip(ramp, 0, 255)).astype(np.uint8)
    page = cv2.LUT(cv2.subtract(near, grey), table)
    return _received(np.asarray(page, np.uint8), image, draw)


def fax_photo(image: Image, draw: Draw) -> Image:
    """Fax in photo mode: greys become patterns of dots."""
    grey = _lines(image, draw)
    levels = (BAYER + 0.5) * 16
    rows, columns = -(-grey.shape[0] // 4), -(-grey.shape[1] // 4)
    limit = np.tile(levels.astype(np.uint8), (rows, columns))[: grey.shape[0], : grey.shape[1]]
    bright = cv2.convertScaleAbs(grey, alpha=draw.between(1.0, 1.2))
    dots = cv2.compare(bright, limit, cv2.CMP_GT)
    fine = _fine(draw)
    page = np.asarray(cv2.addWeighted(dots, fine, bright, 1 - fine, 0), np.uint8)
    return _received(page, image, draw)


def copy(image: Image, draw: Draw) -> Image:
    """Copy one to five times: grey, high contrast, and slightly thick or thin lines."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sigma = max(draw.mm(0.12) * draw.strength, 0.05)
    grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.uint8)
    levels = np.arange(256) / 255
    fine = _fine(draw)
    middle = 1 - (1 - draw.between(0.5, 0.72)) * fine
    steep = (4 + 10 * draw.strength) * fine
    curve = 1 / (1 + np.exp(-steep * (levels - middle)))
    curve = (curve - curve[0]) / (curve[-1] - curve[0])
    table = (curve * (250 - 12 * draw.strength) + 4).astype(np.uint8)
    page = np.asarray(cv2.cvtColor(cv2.LUT(grey, table), cv2.COLOR_GRAY2RGB), np.uint8)
    return mix(image, page, min(1.0, 2.5 * draw.strength))


def toner(image: Image, draw: Draw) -> Image:
    """Add specks of toner, and bands where the drum gave too little."""
    height, width = image.shape[:2]
    faded = np.clip(clouds(draw.rng, (1, width), (1, 14))[0], -2, 2) * 0.5
    lift = np.clip(faded, 0, 1) * (110 * draw.strength)
    strip = np.repeat(lift.astype(np.uint8)[None, :, None], 3, axis=2)
    for top in range(0, height, BAND_PX):
        part = image[top : top + BAND_PX]
        cv2.add(part, np.repeat(strip, len(part), axis=0), dst=part)
    sheets = height * width / (draw.mm(215.9) * draw.mm(279.4))
    count = round(900 * draw.strength * min(sheets, 4.0))
    xs, ys = draw.rng.integers(0, width, count), draw.rng.integers(0, height, count)
    black = draw.rng.integers(10, 110, count)[:, None]
    share = min(1.0, draw.mm(0.3))  # share of a pixel that a speck covers
    image[ys, xs] = (image[ys, xs] * (1 - share) + black * share).astype(np.uint8)
    for _ in range(round(0.02 * count)):
        at = int(draw.rng.integers(width)) * 16, int(draw.rng.integers(height)) * 16
        radius = round(16 * draw.mm(draw.between(0.15, 0.5)) / 2)
        cv2.circle(image, at, radius, (25, 25, 25), -1, cv2.LINE_AA, 4)
    return image


def black_edges(image: Image, draw: Draw) -> Image:
    """Draw black bands along one to four edges, as from an open copier lid.

    The bands are ragged and up to 9 mm wide.
    """
    height, width = image.shape[:2]
    edges = draw.rng.permutation(4)[: 1 + int(draw.rng.integers(4))]
    for edge in edges:
        length = width if edge < 2 else height
        depth = draw.mm(9.0) * draw.strength * draw.between(0.3, 1.0)
        lean = np.linspace(draw.between(0.2, 1.0), draw.between(0.2, 1.0), length)
        ragged = lean * depth + draw.mm(0.25) * clouds(draw.rng, (1, length), (1, 60))[0]
        reach = min(int(np.ceil(max(ragged.max(), 0.0))) + 2, height if edge < 2 else width)
        far = np.arange(reach)[:, None] + 0.5
        soft = max(draw.mm(0.35), 0.5)
        cover = np.clip((ragged[None] - far) / soft + 0.5, 0, 1) * min(1.0, 3 * draw.strength)
        cover = cover * 0.94
        if edge == 0:
            part, gain = image[:reach], 1 - cover
        elif edge == 1:
            part, gain = image[height - reach :], 1 - cover[::-1]
        elif edge == 2:
            part, gain = image[:, :reach], (1 - cover).T
        else:
            part, gain = image[:, width - reach :], (1 - cover[::-1]).T
        part[:] = (part * gain[..., None] + 0.5).astype(np.uint8)
    return image
