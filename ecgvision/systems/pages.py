"""The pages of a configuration, as every system that reads pages has them; imports nothing slow."""

from __future__ import annotations

from ecgvision.data.page_settings import PageSettings
from ecgvision.render.artefacts import CLEAN
from ecgvision.systems.base import Config, names


def page_settings(config: Config, *, images: bool) -> PageSettings:
    """The pages of the configuration."""
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
