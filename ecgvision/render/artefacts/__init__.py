"""Artefacts of scanners, faxes, copiers and phones on printed pages.

>>> picture = apply("photo", image, seed=3, strength=0.7)
>>> geometry = drawing.geometry.moved(picture.warp)

A preset combines several artefacts; every artefact is also available on its own. All geometric
changes of one device form a single map, so the image is resampled from the page once. Points, boxes
and masks move with it to within half a pixel.
"""

from ecgvision.render.artefacts.parts import Artefact
from ecgvision.render.artefacts.pipeline import Picture, apply, at_strength, check_name
from ecgvision.render.artefacts.presets import CLEAN, PRESETS, Preset, Use
from ecgvision.render.artefacts.registry import ARTEFACTS
from ecgvision.render.artefacts.warp import Warp

__all__ = [
    "ARTEFACTS",
    "CLEAN",
    "PRESETS",
    "Artefact",
    "Picture",
    "Preset",
    "Use",
    "Warp",
    "apply",
    "at_strength",
    "check_name",
]
