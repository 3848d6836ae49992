"""Unreadable images made from readable pages, as negative examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from ecgvision.render.artefacts.parts import Image


def spoil(image: Image, rng: np.random.Generator) -> Image:
    """Turn a page into an image without readable leads, in one of the `WAYS`.

    Args:
        image: (h, w, 3) uint8 page.
        rng: selects the way; "two pages" is twice as frequent as any other.

    Returns:
        uint8 (h, w, 3), (w, h, 3), or with a larger height or width.
    """
    names = [*WAYS, "two pages"]
    return WAYS[names[int(rng.integers(len(names)))]](image, rng)


def _upside_down(image: Image, rng: np.random.Generator) -> Image:
    return np.ascontiguousarray(np.rot90(image, 2))


def _on_its_side(image: Image, rng: np.random.Generator) -> Image:
    return np.ascontiguousarray(np.rot90(image, 1 if rng.random() < 0.5 else 3))


def _empty(image: Image, rng: np.random.Generator) -> Image:
    """Magnify a corner of the page, which smears out its ink."""
    height, width = image.shape[:2]
    tile = image[: height // 8, : width // 8]
    return np.asarray(cv2.resize(tile, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _another(image: Image, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    coarse = rng.integers(0, 256, (*rng.integers(2, 48, 2), 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.uint8)


def _mirrored(image: Image, rng: np.random.Generator) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


def _two(image: Image, rng: np.random.Generator) -> Image:
    """Put two copies next to or below each other on a sheet of the paper's colour, with margins."""
    pair = np.concatenate([image, image], axis=int(rng.integers(2)))
    edges = [int(rng.uniform(0, 0.3) * n) for n in (*pair.shape[:2], *pair.shape[:2])]
    colour = np.median(image.reshape(-1, 3), axis=0).astype(int).tolist()
    above, left, below, right = edges
    sheet = cv2.copyMakeBorder(pair, above, below, left, right, cv2.BORDER_CONSTANT, value=colour)
    return np.asarray(sheet, np.uint8)


WAYS: Mapping[str, Callable[[Image, np.random.Generator], Image]] = {
    "upside down": _upside_down,
    "on its side": _on_its_side,
    "empty": _empty,
    "another picture": _another,
    "mirrored": _mirrored,
    "two pages": _two,
}
"""Unreadable images that a reader may be given instead of upright pages; our choice."""
