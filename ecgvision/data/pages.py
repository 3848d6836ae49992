"""Sources of training pages: drawn on the fly, or read from a folder of drawn pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.core.errors import DataError
from ecgvision.core.layouts import pick_layout
from ecgvision.core.page import Page
from ecgvision.data.drawn_pages import DrawnPages
from ecgvision.data.page_settings import PageSettings
from ecgvision.data.standard_page import PrintedLead, printed_leads, stored_leads
from ecgvision.render.draw import draw
from ecgvision.render.papers.named import Style, paper_of

__all__ = ["FromFolders", "OnTheFly", "PageSettings", "PageSource", "Sheet"]


class Sheet(Protocol):
    """One page, before its image is drawn or read."""

    @property
    def dpi(self) -> float:
        """Pixels per inch."""

    def observed(self, length: int, rate: float) -> NDArray[np.bool_]:
        """Return (12, length) bool: which samples of the window the page shows."""

    def image(self, window: NDArray[np.float32], rate: float, seed: int) -> NDArray[np.uint8]:
        """Return the (h, w, 3) uint8 RGB page of a window (12, T) in mV."""

    def leads(self) -> Sequence[PrintedLead]:
        """Return where the page prints its leads."""


class PageSource(Protocol):
    """Interface of sources that give a record's page."""

    fixed: bool
    """Whether pages show the records unchanged, so that signals must not be augmented."""

    def sheet(
        self, place: tuple[int, int], layout: str, *, dpi: float, rng: np.random.Generator
    ) -> Sheet:
        """Return the page of the record at (store, row of the store), in a layout of the mix."""


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

    def leads(self) -> Sequence[PrintedLead]:
        return printed_leads(self.page)


class OnTheFly:
    """Pages drawn on demand, on the papers that the settings name."""

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

    def leads(self) -> Sequence[PrintedLead]:
        return stored_leads(self._geometry)


class FromFolders:
    """Pages from folders that `data_prep.render_images` has drawn, one folder per store.

    Args:
        folders: in any order; a store's folder is found by the store's hash.
        hashes: hashes of the stores, in order.
        layouts: the required layouts.

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
        """Return whether the record was drawn in every layout."""
        return all(self.folders[place[0]].has(place[1], layout) for layout in self.layouts)

    def sheet(
        self, place: tuple[int, int], layout: str, *, dpi: float, rng: np.random.Generator
    ) -> Sheet:
        return _Stored(self.folders[place[0]], place[1], layout)
