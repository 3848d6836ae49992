"""Settings of the pages that a reader learns from and is judged on."""

from __future__ import annotations

from ecgvision.data.page_settings import PageSettings
from ecgvision.systems.base import Config
from ecgvision.systems.pages import page_settings


def reader_settings(config: Config) -> PageSettings:
    """Return the page settings of a configuration.

    Records are used in full, as there is no signal stream.
    """
    data = {**config["data"], "signal_window": "record", "images": None}
    return page_settings({**config, "data": data}, images=True)
