"""Page settings from a configuration, for all systems that read pages; imports nothing slow."""

from __future__ import annotations

from ecgvision.data.page_settings import PageSettings
from ecgvision.render.artefacts import CLEAN
from ecgvision.systems.base import Config, names


def page_settings(config: Config, *, images: bool) -> PageSettings:
    """Return the page settings of the configuration; without `images` pages are clean."""
    data = config["data"]
    return PageSettings(
        layouts=names(data["layouts"]),
        artefacts=names(data["artefacts"]) if images else (CLEAN,),
        image_size=tuple(data["image_size"]),
        style=data["style"],
        dpi=data["dpi"],
        train_dpi=tuple(data["train_dpi"]),
        speed=data["speed"],
        gain=data["gain"],
        seconds=data["seconds"],
        signal_rate=data["signal_rate"],
        signal_window=data["signal_window"],
        images=images,
    )
