"""Settings of the pages a network sees. Imports nothing slow, so that they can be checked first."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from ecgvision.core.errors import ConfigError, about_setting
from ecgvision.core.layouts import ANY, RANDOM, RANDOM_LAYOUTS, WILDCARD_LAYOUTS, get_layout
from ecgvision.core.page import Page
from ecgvision.data.standard_page import standard_layout
from ecgvision.render import artefacts
from ecgvision.render.papers.named import Paper, check_style


@dataclass(frozen=True)
class PageSettings:
    """Which pages a network sees.

    Attributes:
        layouts: names as in `get_layout`, `random` for one of `RANDOM_LAYOUTS`, `any` for leads in
            any arrangement.
        image_size: (H, W) of the network's input.
        artefacts: presets or single artefacts applied to pages; `clean` applies none.
        style: name of a paper, or `mixed` for a random paper with every page.
        dpi: resolution of pages in evaluation.
        train_dpi: resolutions of pages in training, chosen at random; only a few, so that their
            grids and letters are drawn once and cached.
        speed, gain: mm/s and mm/mV; None uses those of the paper.
        seconds: window of the record that page and signal share.
        signal_rate: Hz of the signal stream.
        signal_window: `record`, or `printed` to hide from the signal stream what the page hides.
        images: False leaves out the pages, for a signal stream alone.
        standard: pages reach the network as standard pages; see `ecgvision.data.standard_page`.
    """

    layouts: tuple[str, ...]
    image_size: tuple[int, int]
    artefacts: tuple[str, ...] = (artefacts.CLEAN,)
    style: str = "kit"
    dpi: float = 100.0
    train_dpi: tuple[float, ...] = (50.0, 60.0, 72.0, 86.0, 100.0, 120.0)
    speed: float | None = None
    gain: float | None = None
    seconds: float = 10.0
    signal_rate: float = 100.0
    signal_window: str = "record"
    images: bool = True
    standard: bool = False

    def __post_init__(self) -> None:
        for name in ("layouts", "artefacts", "train_dpi"):
            if not getattr(self, name):
                raise ConfigError(f"data.{name} is empty", remedy="Name at least one")
        with about_setting("data.artefacts"):
            for name in self.artefacts:
                artefacts.check_name(name)
        if self.signal_window not in ("record", "printed"):
            raise ConfigError("data.signal_window must be record or printed",
                              value=self.signal_window)  # fmt: skip
        whole = all(isinstance(pixels, int) for pixels in self.image_size)
        if len(self.image_size) != 2 or not whole or min(self.image_size) < 32:
            raise ConfigError("data.image_size must be [height, width], each at least 32",
                              value=list(self.image_size))  # fmt: skip
        if self.standard and self.images:
            with about_setting("data.image_size"):
                standard_layout(tuple(self.image_size))
        if not self.signal_rate > 0 or not self.seconds > 0:
            raise ConfigError("data.signal_rate and data.seconds must be positive",
                              value=(self.signal_rate, self.seconds))  # fmt: skip
        if not all(isinstance(dpi, (int, float)) and dpi > 0 for dpi in self.train_dpi):
            raise ConfigError("data.train_dpi are positive numbers", value=list(self.train_dpi))
        named = set(self.layouts).difference(WILDCARD_LAYOUTS)
        if RANDOM in self.layouts:
            named |= set(RANDOM_LAYOUTS)
        if ANY in self.layouts:
            named.add("12x1")  # needs more room than any other layout
        with about_setting("data.layouts"):
            for name in named:
                get_layout(name)
        with about_setting("data.style"):
            check_style(self.style, ())
        check_style(self.style, sorted(named), dpi=self.dpi, **self._asked)

    @property
    def views(self) -> tuple[tuple[int, int], ...]:
        """Every (layout, artefact) of the mix, as pairs of indices."""
        return tuple(itertools.product(range(len(self.layouts)), range(len(self.artefacts))))

    @property
    def signal_length(self) -> int:
        return round(self.seconds * self.signal_rate)

    @property
    def _asked(self) -> dict[str, float]:
        asked = {"speed": self.speed, "gain": self.gain}
        return {name: value for name, value in asked.items() if value is not None}

    def page(self, paper: Paper, layout: str, dpi: float, **scale: float) -> Page:
        """Return the page of a layout on a paper.

        The settings' own `speed` and `gain` take precedence over `scale`, and `scale` over the
        paper.

        Raises:
            LayoutError: if the layout is unknown or does not fit.
        """
        return paper.page(layout, dpi=dpi, **{**scale, **self._asked})
