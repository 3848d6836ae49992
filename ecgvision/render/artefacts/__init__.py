"""What happens to a printed page on its way into a computer: scanners, faxes, copiers, phones.

>>> picture = apply("photo", image, seed=3, strength=0.7)
>>> geometry = drawing.geometry.moved(picture.warp)

Presets are journeys of several artefacts; every artefact can be had by itself too. All geometric
changes of a machine are one map, so that the picture is taken from the page once and points,
boxes and masks move with it to within half a pixel.
"""

from ecgvision.render.artefacts.parts import Artefact
from ecgvision.render.artefacts.pipeline import Picture, apply, check_name
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
    "check_name",
]
