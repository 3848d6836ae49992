"""Changed bytes of a JPEG that no decoder notices, found by the step in brightness they leave.

A JPEG has no checksum, and a changed byte nearly always gives valid codes of other numbers. Each
block's mean is stored as the difference to the one before it, so that from the changed block to the
end of the picture everything is lighter or darker. The step runs along the edges of blocks: above
the row of the changed block on its right, and below it on its left. This module looks for such a
step in brightness, not in colour, where drawn areas look alike. A step in the first or last row, or
hidden by a line along it, is missed. The method is ours.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_SCORE = 12.0
"""Standard errors that both parts of a step must be away from 0 (our default)."""

_CLIP = 8.0  # grey levels: one grid line or trace must not outweigh the row
_NOISE = 0.2  # grey levels: rounding, where a row is perfectly even
_MARGIN = 20  # neither part of a step is shorter than this fraction of the width
_ALIKE = 0.5  # both means are of one height to this fraction,
_REST = 0.4  # and what is beside them has less than this fraction of it
_LASTING = 0.4  # and blocks differ by it to this fraction
_EVEN = (2.0, 0.15)  # medians, and deviations from them, agree to these grey levels or fraction


def find_step(image: NDArray[Any], block: tuple[int, int]) -> int | None:
    """Return the first row of pixels of the damage; None if there is no step.

    Args:
        image: (H, W, 3) uint8 BGR as decoded, without rotation.
        block: height and width of the units in which the picture is stored: 8 or 16.
    """
    height, width = image.shape[0] // block[0], image.shape[1] // block[1]
    if height < 4 or width < 8:
        return None
    narrow = cv2.resize(
        image[:, : width * block[1]], (width, image.shape[0]), interpolation=cv2.INTER_AREA
    )
    grey = cv2.cvtColor(narrow, cv2.COLOR_BGR2GRAY).astype(np.float32)
    steps = _steps(grey, block[0])
    blocks = grey[: height * block[0]].reshape(height, block[0], width).mean(1)
    jumps = np.diff(blocks, axis=0)
    noise = float(np.median(np.abs(steps)))
    places, scores = _scores(steps)
    for row in np.flatnonzero(scores.max(1) > LEAST_SCORE).tolist():
        place = places[scores[row].argmax()]
        above, below = (row, slice(place, None)), (row + 1, slice(0, place))
        if (
            _alike(steps[above], steps[below], noise)
            and _lasting(steps[above], jumps[above])
            and _lasting(steps[below], jumps[below])
        ):
            return (row + 1) * block[0]
    return None


def _steps(grey: NDArray[np.float32], size: int) -> NDArray[Any]:
    """Return what each edge between blocks has more than the places one pixel above and below it.

    Args:
        grey: (H, columns of blocks) mean of each block's rows of pixels.
        size: rows of pixels of a block.
    """
    edges = np.arange(1, grey.shape[0] // size) * size

    def step(at: NDArray[np.int_]) -> NDArray[Any]:
        return grey[np.minimum(at, grey.shape[0] - 1)] - grey[at - 1]

    return step(edges) - (step(edges - 1) + step(edges + 1)) / 2


def _scores(steps: NDArray[Any]) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Return places along a row of blocks, and the score of a step there (edges - 1, places)."""
    width = steps.shape[1]
    margin = max(1, width // _MARGIN)
    places = np.arange(margin, width - margin)
    clipped = steps.clip(-_CLIP, _CLIP)
    left, right = _parts(clipped, places)
    left_2, right_2 = _parts(clipped**2, places)
    above, below = right[:-1], left[1:]
    error_above = np.sqrt((right_2[:-1] - above**2).clip(_NOISE**2) / (width - places))
    error_below = np.sqrt((left_2[1:] - below**2).clip(_NOISE**2) / places)
    score = np.minimum(np.abs(above) / error_above, np.abs(below) / error_below)
    heights = np.abs(above), np.abs(below)
    least, most = np.minimum(*heights), np.maximum(*heights)
    likely = (
        (above * below > 0)
        & (least > _ALIKE * most)
        & (np.maximum(np.abs(left[:-1]), np.abs(right[1:])) < _REST * least)
    )
    return places, np.where(likely, score, 0)


def _alike(above: NDArray[Any], below: NDArray[Any], noise: float) -> bool:
    """Whether the steps of two parts are one number, as damage makes them and edges hardly do.

    Args:
        noise: median of what edges between blocks have without damage.
    """
    height = float(np.median(np.concatenate([above, below])))
    allowed = max(_EVEN[0], _EVEN[1] * abs(height))
    return all(
        abs(float(np.median(part)) - height) < allowed
        and float(np.median(np.abs(part - height))) < max(allowed, 2 * noise)
        for part in (above, below)
    )


def _lasting(steps: NDArray[Any], jumps: NDArray[Any]) -> bool:
    """Whether whole blocks differ by about what their edges do, unlike on both sides of a line."""
    height = float(np.median(steps))
    return abs(float(np.median(jumps)) - height) < max(_EVEN[0], _LASTING * abs(height))


def _parts(
    values: NDArray[Any], places: NDArray[np.int_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means (rows, places) of what is left of each place, and of the rest."""
    sums = np.cumsum(values, axis=1, dtype=np.float64)
    left = sums[:, places - 1]
    return left / places, (sums[:, -1:] - left) / (values.shape[1] - places)
