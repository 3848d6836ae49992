"""Page settings from a configuration, for all systems that read pages; imports nothing slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecgvision.data.page_settings import PageSettings
from ecgvision.render.artefacts import CLEAN
from ecgvision.systems.base import Config, loader_arguments, names

if TYPE_CHECKING:
    from ecgvision.data.cohort import Cohort
    from ecgvision.data.paired import PairedDataModule


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
        standard=data.get("standard_page", False),
    )


def page_data(
    config: Config, cohort: Cohort, *, images: bool = True,
    module: type[PairedDataModule] | None = None,
) -> PairedDataModule:  # fmt: skip
    """Return the data module of the configuration's pages.

    Args:
        images: see `page_settings`.
        module: a class of data module with the arguments of `PairedDataModule`, the default.
    """
    from ecgvision.data.paired import PairedDataModule

    return (module or PairedDataModule)(
        cohort, page_settings(config, images=images), folders=names(config["data"]["images"]),
        augment=config["data"]["augment"], **loader_arguments(config),
    )  # fmt: skip
