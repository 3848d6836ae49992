"""Where the pages of a training come from: drawn on the fly, or a folder of drawn pages."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ecgvision.data.drawn import DrawnPages
from ecgvision.ecg import LEAD_INDEX, LEADS, ConfigError, DataError
from ecgvision.layouts import ANY, MANY, RANDOM, RANDOM_LAYOUTS, pick_layout
from ecgvision.page import Page
from ecgvision.render import artefacts
from ecgvision.render.paper import draw
from ecgvision.render.styles import Paper, Style, check_style, paper_of


@dataclass(frozen=True)
class PageSettings:
    """Which pages a network sees.

    Attributes:
        layouts: as `get_layout` takes them, `random` for one of the registry's first six, `any`
            for leads in any arrangement.
        image_size: (H, W) of the network.
        artefacts: presets or single artefacts that pages pass through; `clean` is none.
        style: a paper's name, or `mixed` for another paper with every page.
        dpi: resolution of pages in evaluation.
        train_dpi: pages in training have one of these resolutions; a handful, so that their
            grids and letters are drawn once and kept.
        speed, gain: mm/s and mm/mV; None leaves them to the paper.
        seconds: window of the record that page and signal share.
        signal_rate: Hz of the signal stream.
        signal_window: `record`, or `printed` to hide from the signal stream what the page hides.
        images: False leaves out the pages, for a signal stream alone.
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

    def __post_init__(self) -> None:
        for name in ("layouts", "artefacts", "train_dpi"):
            if not getattr(self, name):
                raise ConfigError(f"data.{name} is empty", remedy="Name at least one")
        for name in self.artefacts:
            artefacts.check_name(name)
        if self.signal_window not in ("record", "printed"):
            raise ConfigError("data.signal_window must be record or printed",
                              value=self.signal_window)  # fmt: skip
        if len(self.image_size) != 2 or min(self.image_size) < 32:
            raise ConfigError("data.image_size must be [height, width], each at least 32",
                              value=list(self.image_size))  # fmt: skip
        if not self.signal_rate > 0 or not self.seconds > 0:
            raise ConfigError("data.signal_rate and data.seconds must be positive",
                              value=(self.signal_rate, self.seconds))  # fmt: skip
        named = set(self.layouts).difference(MANY)
        if RANDOM in self.layouts:
            named |= set(RANDOM_LAYOUTS)
        if ANY in self.layouts:
            named.add("12x1")  # which asks for more room than any other
        check_style(self.style, sorted(named), dpi=self.dpi, **self._asked)

    @property
    def views(self) -> tuple[tuple[int, int], ...]:
        """Every (layout, artefact) of the mix, by their numbers."""
        return tuple(itertools.product(range(len(self.layouts)), range(len(self.artefacts))))

    @property
    def signal_length(self) -> int:
        return round(self.seconds * self.signal_rate)

    @property
    def _asked(self) -> dict[str, float]:
        asked = {"speed": self.speed, "gain": self.gain}
        return {name: value for name, value in asked.items() if value is not None}

    def page(self, paper: Paper, layout: str, dpi: float, **scale: float) -> Page:
        """A layout on a paper, at the `speed` and `gain` given, else at those asked for.

        Raises:
            LayoutError: for an unknown layout, or one that does not fit.
        """
        return paper.page(layout, dpi=dpi, **{**scale, **self._asked})


class Sheet(Protocol):
    """One page to come."""

    @property
    def dpi(self) -> float:
        """Pixels an inch."""

    def observed(self, length: int, rate: float) -> NDArray[np.bool_]:
        """(12, length) bool: which samples of the window the page shows."""

    def image(self, window: NDArray[np.float32], rate: float, seed: int) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB page of a window (12, T) in mV."""


class PageSource(Protocol):
    """Pages of records by their row over all stores."""

    fixed: bool
    """Whether pages show the records as they are, so that no signal may be augmented."""

    def sheet(
        self, place: tuple[int, int], layout: str, *, dpi: float, rng: np.random.Generator
    ) -> Sheet:
        """The page of the record at (store, row of the store) in a layout of the mix."""


@dataclass(frozen=True)
class _Blank:
    page: Page
    style: Style

    @property
    def dpi(self) -> float:
        return self.page.dpi

    def observed(self, length: int, rate: float) -> NDArray[np.bool_]:
        return self.page.observed(length, rate)

    def image(self, window: NDArray[np.float32], rate: float, seed: int) -> NDArray[np.uint8]:
        return draw(window, rate, self.page, self.style, seed=seed, points=False).image


class OnTheFly:
    """Pages drawn when they are asked for, on the papers that the settings name."""

    fixed = False

    def __init__(self, settings: PageSettings) -> None:
        self.settings = settings

    def sheet(
        self, place: tuple[int, int], layout: str, *, dpi: float, rng: np.random.Generator
    ) -> Sheet:
        layout = pick_layout(layout, rng)
        paper = paper_of(self.settings.style, layout, rng)
        return _Blank(self.settings.page(paper, layout, dpi), paper.style)


@dataclass(frozen=True)
class _Stored:
    pages: DrawnPages
    row: int
    layout: str

    @cached_property
    def _geometry(self) -> Mapping[str, Any]:
        return self.pages.geometry(self.row, self.layout)

    @property
    def dpi(self) -> float:
        return float(self._geometry["dpi"])

    def observed(self, length: int, rate: float) -> NDArray[np.bool_]:
        seen = np.zeros((len(LEADS), length), bool)
        own = float(self._geometry["rate"])
        for cell in self._geometry["leads"]:
            first, last = (round(sample * rate / own) for sample in cell["samples"])
            seen[LEAD_INDEX[cell["lead"]], first:last] = True
        return seen

    def image(self, window: NDArray[np.float32], rate: float, seed: int) -> NDArray[np.uint8]:
        return self.pages.page(self.row, self.layout)


class FromFolders:
    """Pages of folders that `data_prep.render_images` has drawn, one folder for each store.

    Args:
        folders: in any order; a store's folder is found by the store's hash.
        hashes: of the stores, in order.
        layouts: that are wanted.

    Raises:
        DataError: if a store has no folder, or two.
        LayoutError: if a folder lacks a layout.
    """

    fixed = True

    def __init__(
        self, folders: list[DrawnPages], hashes: list[str], layouts: tuple[str, ...]
    ) -> None:
        by_hash = {pages.store_hash: pages for pages in folders}
        if len(by_hash) != len(folders) or set(by_hash) != set(hashes):
            raise DataError(
                "data.images must hold one folder of pages for each store, drawn from that store",
                value=[str(pages.folder) for pages in folders],
                remedy="Draw them with `python -m data_prep.render_images STORE --out DIR`",
            )
        self.folders = [by_hash[h] for h in hashes]
        for pages in self.folders:
            for layout in layouts:
                pages.has(0, layout)
        self.layouts = layouts

    def has(self, place: tuple[int, int]) -> bool:
        """Whether the record was drawn in every layout."""
        return all(self.folders[place[0]].has(place[1], layout) for layout in self.layouts)

    def sheet(
        self, place: tuple[int, int], layout: str, *, dpi: float, rng: np.random.Generator
    ) -> Sheet:
        return _Stored(self.folders[place[0]], place[1], layout)
