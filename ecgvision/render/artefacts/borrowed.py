"""Transforms from albumentations, which is imported only here and only when one is used.

Each transform gets a seed of its own, so that global random state is neither read nor changed.
"""

from __future__ import annotations

import os
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from ecgvision.render.artefacts.parts import Draw, Image


@cache
def _library() -> ModuleType:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # no network request at import
    import albumentations

    return albumentations


def _run(transform: Any, image: Image, draw: Draw) -> Image:
    transform.set_random_seed(int(draw.rng.integers(2**31)))
    return np.asarray(transform(image=image)["image"], np.uint8)


@cache
def _compression() -> Any:
    return _library().ImageCompression(p=1)


@cache
def _jitter() -> Any:
    return _library().PlanckianJitter(mode="blackbody", p=1)


def jpeg(image: Image, draw: Draw) -> Image:
    """JPEG of quality 92 down to 12 (our defaults: from a scanner's to a messenger's)."""
    quality = round(92 - 80 * draw.strength)  # set here: the library would draw it at random
    return np.asarray(_compression().apply(image, quality=quality, image_type=".jpg"), np.uint8)


def motion(image: Image, draw: Draw) -> Image:
    """Motion blur of up to 1.2 mm of paper at full strength.

    Our default: a quarter of a large box. The kernel is centred, so that nothing shifts.
    """
    length = draw.mm(1.2) * draw.strength
    size = max(3, 2 * round(length / 2) + 1)
    transform = _library().MotionBlur(
        blur_limit=(size, size), allow_shifted=False, direction_range=(0.0, 0.0), p=1
    )
    share = min(1.0, length / 2)  # kernels have three pixels or more; blending gives less
    return mix(image, _run(transform, image, draw), share)


def white_balance(image: Image, draw: Draw) -> Image:
    """Colour cast of a warm lamp (4000 K) or of the open sky (9000 K), scaled by the strength."""
    kelvin = int(draw.rng.choice([4000, 9000]))
    cast = _jitter().apply(image, temperature=kelvin)
    return mix(image, np.asarray(cast, np.uint8), 0.6 * draw.strength)  # phones correct most of it


def mix(first: Image, second: Image, share: float) -> Image:
    """Blend two images; `share` is the weight of the second."""
    import cv2

    if share >= 1:
        return second
    return np.asarray(cv2.addWeighted(first, 1 - share, second, share, 0.0), np.uint8)
