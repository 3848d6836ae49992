"""Application of artefacts to a page: each pass draws parameters and warps the page once."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError
from ecgvision.render.artefacts.bands import bands
from ecgvision.render.artefacts.parts import Artefact, Draw, Field, Image, coarse, shine
from ecgvision.render.artefacts.presets import PRESETS, Preset, Use
from ecgvision.render.artefacts.registry import ARTEFACTS
from ecgvision.render.artefacts.warp import Size, Warp


@dataclass(frozen=True, eq=False)
class Picture:
    """Result of applying artefacts.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 coverage of the traces at their new positions, None if none was given.
        warp: map from points of the drawn page to points of the image.
        applied: (name, strength) of every artefact that was applied, in order.
    """

    image: Image
    mask: NDArray[np.uint8] | None
    warp: Warp
    applied: tuple[tuple[str, float], ...]


def apply(
    preset: str,
    image: NDArray[np.uint8],
    *,
    seed: int,
    strength: float = 1.0,
    mask: NDArray[np.uint8] | None = None,
    dpi: float = 100.0,
) -> Picture:
    """Apply a preset or one artefact to a page. The same arguments give the same bytes.

    Args:
        preset: a name of `PRESETS`, or of `ARTEFACTS` for one artefact; `NAME*0.5` at half the
            strength. No transform mirrors.
        image: (H, W, 3) uint8 RGB, not modified.
        seed: determines what is applied. Each artefact draws from a generator of its own, so that
            `strength` changes how strong the artefacts are but not which are applied.
        strength: in [0, 1], multiplies the strengths that the preset draws; 0 leaves the image
            unchanged.
        mask: (H, W) uint8 that is moved with the page.
        dpi: pixels per inch of paper, for artefacts of fixed physical size (dust, pens, staples).

    Raises:
        ConfigError: if the name is unknown, the seed is negative, the strength or dpi is invalid,
            or an array has another shape or type.
    """
    chosen, share = _preset(preset)
    _check(image, mask, seed, strength, dpi)
    strength *= share
    warp = Warp(_size(image), _size(image))
    applied: list[tuple[str, float]] = []
    picture = image
    for number, uses in enumerate(chosen.passes):
        drawn = list(_drawn(uses, (seed, number), strength, dpi))
        if not drawn:
            continue
        picture, mask, moved = _pass(picture, mask, drawn)
        warp = warp.then(moved)
        applied += [(name, draw.strength) for name, draw in drawn]
    return Picture(
        picture.copy() if picture is image else picture,
        None if mask is None else mask.copy(),
        warp,
        tuple(applied),
    )


def check_name(name: str) -> None:
    """Check that a name is a preset or an artefact, perhaps with a strength.

    Raises:
        ConfigError: naming the known ones.
    """
    _preset(name)


def at_strength(name: str, strength: float) -> str:
    """Return the name of a preset or artefact at a strength, for `apply`."""
    return f"{name}*{strength:g}"


def _preset(name: str) -> tuple[Preset, float]:
    """Return the preset that a name means, and the strength that it states."""
    kind, star, text = name.partition("*")
    share = _share(text) if star else 1.0
    if kind in PRESETS and share is not None:
        return PRESETS[kind], share
    if kind in ARTEFACTS and share is not None:
        return Preset(ARTEFACTS[kind].what, ((Use(kind, 1.0, 1.0, 1.0),),)), share
    raise ConfigError(
        "unknown preset or artefact",
        value=name,
        remedy=f"Presets: {', '.join(PRESETS)}; artefacts: {', '.join(ARTEFACTS)}; "
        "NAME*0.5 at half the strength",
    )


def _share(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def _check(image: Any, mask: Any, seed: int, strength: float, dpi: float) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or min(image.shape) < 1:
        raise ConfigError(
            "a picture must have shape (H, W, 3), uint8", value=(image.shape, str(image.dtype))
        )
    if mask is not None and (mask.dtype != np.uint8 or mask.shape != image.shape[:2]):
        raise ConfigError(
            f"a mask must have shape {image.shape[:2]}, uint8", value=(mask.shape, str(mask.dtype))
        )
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ConfigError("the seed of an artefact must be a whole number of 0 or more", value=seed)
    if not 0 <= strength <= 1:
        raise ConfigError("the strength of an artefact must lie in [0, 1]", value=strength)
    if not (math.isfinite(dpi) and dpi > 0):
        raise ConfigError("dpi of a picture must be positive", value=dpi)


def _size(image: NDArray[np.uint8]) -> Size:
    return image.shape[0], image.shape[1]


def _drawn(
    uses: tuple[Use, ...], seed: tuple[int, int], strength: float, dpi: float
) -> Iterator[tuple[str, Draw]]:
    """Yield the name of each artefact that is applied, with its generator and strength."""
    for use in uses:
        names = (use.names,) if isinstance(use.names, str) else use.names
        rng = np.random.default_rng([*seed, zlib.crc32("|".join(names).encode())])
        happens = rng.random() < use.chance
        name = names[int(rng.integers(len(names)))]
        own = strength * float(rng.uniform(use.low, use.high))
        if happens and own > 0:
            yield name, Draw(rng, own, dpi)


def _pass(
    image: Image, mask: NDArray[np.uint8] | None, drawn: list[tuple[str, Draw]]
) -> tuple[Image, NDArray[np.uint8] | None, Warp]:
    """Apply one pass: sheet and tints, one map for all shapes, light, picture."""
    given = image
    todo = [(ARTEFACTS[name], draw) for name, draw in drawn]
    sheets = list(_of("sheet", todo))
    if sheets:
        image = image.copy()
        for artefact, draw in sheets:
            artefact.make(image, draw)
    size = _size(image)
    gains = [artefact.make(size, draw) for artefact, draw in _of("tint", todo)]
    warp, backdrop = Warp(size, size), None
    for artefact, draw in _of("shape", todo):
        shape = artefact.make(warp.size, draw)
        warp = warp.then(Warp(warp.size, shape.size or warp.size, shape.steps))
        backdrop = shape.backdrop or backdrop
        if shape.tint is not None:
            gains.append(shape.tint)
    image = _shone(image, gains)
    if not warp.still:
        image, mask = _bend(image, mask, warp, backdrop)
    image = _shone(image, [a.make(_size(image), draw) for a, draw in _of("light", todo)])
    faults = list(_of("picture", todo))
    if faults and image is given:
        image = image.copy()
    for artefact, draw in faults:
        image = artefact.make(image, draw)
    return image, mask, warp


def _of(stage: str, todo: list[tuple[Artefact, Draw]]) -> Iterator[tuple[Artefact, Draw]]:
    return ((artefact, draw) for artefact, draw in todo if artefact.stage == stage)


def _shone(image: Image, gains: list[Field]) -> Image:
    if not gains:
        return image
    total = np.ones((*coarse(_size(image)), 3), np.float32)
    for gain in gains:
        total *= gain
    return shine(image, total)


def _bend(
    image: Image,
    mask: NDArray[np.uint8] | None,
    warp: Warp,
    backdrop: Callable[[Size], Image] | None,
) -> tuple[Image, NDArray[np.uint8] | None]:
    """Warp the page in one map onto its backdrop, or onto white paper if there is none."""
    height, width = _size(image)
    nodes = warp.nodes()
    low, high = nodes.min(axis=(0, 1)), nodes.max(axis=(0, 1))
    out = np.empty((*warp.size, 3), np.uint8)
    moved = None if mask is None else np.empty(warp.size, np.uint8)
    around = None
    if (low < -0.5).any() or (high > (width - 0.5, height - 0.5)).any():
        around = np.full_like(out, 255) if backdrop is None else backdrop(warp.size)
    for rows, full in bands(nodes, warp.node_px, warp.size):
        at = cv2.convertMaps(np.ascontiguousarray(full), np.empty(0, np.float32), cv2.CV_16SC2)
        cv2.remap(image, *at, cv2.INTER_LINEAR, dst=out[rows], borderMode=cv2.BORDER_REPLICATE)
        if around is not None:
            inside = cv2.inRange(full, (-0.5, -0.5), (width - 0.5, height - 0.5))
            cv2.copyTo(around[rows], cv2.bitwise_not(inside), dst=out[rows])
        if mask is not None and moved is not None:
            cv2.remap(mask, *at, cv2.INTER_LINEAR, dst=moved[rows], borderValue=0)
    return out, moved
