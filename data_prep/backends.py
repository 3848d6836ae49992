"""Backends that draw pages of records: this project's renderer, or a checkout of ecg-image-kit.

Every worker builds its own backend from plain settings and calls it with records.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.render.kit.flags import KitFlags
from ecgvision.render.kit.page import check_page
from ecgvision.render.papers.named import check_style, paper_of

if TYPE_CHECKING:
    from ecgvision.render.kit.draw import Kit


class Picture(NamedTuple):
    """Drawn page: image (H, W, 3) uint8 RGB, geometry as a dict, mask (H, W) uint8 or None."""

    image: NDArray[np.uint8]
    geometry: dict[str, Any]
    mask: NDArray[np.uint8] | None


class Record(NamedTuple):
    """Record to draw: signal (12, T) mV at `rate` Hz, name, and lines for the page's header."""

    signal: NDArray[np.float32]
    rate: float
    name: str
    about: tuple[str, ...] = ()


def page_seed(seed: int, record: str, layout: str) -> int:
    """Return a 31-bit seed from the arguments only, so that pages are the same in any order."""
    text = f"{seed}\0{record}\0{layout}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") >> 1


def about(age: Any, sex: Any) -> tuple[str, ...]:
    """Return a record's header lines: age and sex, nothing that could reveal the labels."""
    import pandas as pd

    years = "Unknown" if pd.isna(age) else f"{age:.0f}"
    return f"Age: {years}", f"Sex: {'Unknown' if pd.isna(sex) else sex}"


@dataclass(frozen=True)
class OurBackend:
    """This project's renderer, optionally with an artefact applied to the page.

    Attributes:
        layouts: names of all layouts that will be drawn.
        style: name of a style, or "mixed".
        dpi: pixels per inch.
        seed: of all randomness.
        masks: also draw masks of the traces.
        points: also give the pixel of every sample.
        artefact: name of an artefact, "" for none.
        strength: of the artefact.

    Raises:
        ConfigError: for an unknown style or artefact, at construction.
        LayoutError: for a layout that does not exist, or a page that does not fit.
    """

    layouts: tuple[str, ...]
    style: str
    dpi: float
    seed: int
    masks: bool
    points: bool
    artefact: str = ""
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_style(self.style, self.layouts, dpi=self.dpi)
        if self.artefact:
            _artefacts()(
                self.artefact,
                np.full((64, 64, 3), 255, np.uint8),
                seed=0,
                strength=self.strength,
                mask=None,
                dpi=self.dpi,
            )

    def close(self) -> None:
        """Do nothing: no resources are held."""

    def __call__(self, record: Record, layout: str) -> Picture:
        """Draw the page of a record."""
        from ecgvision.render.draw import draw

        seed = page_seed(self.seed, record.name, layout)
        paper = paper_of(self.style, layout, np.random.default_rng(seed))
        page = paper.page(layout, dpi=self.dpi)
        drawing = draw(
            record.signal, record.rate, page, paper.style,
            seed=seed, mask=self.masks, points=self.points,
        )  # fmt: skip
        image, mask = drawing.image, drawing.mask
        geometry: Any = drawing.geometry
        extra: dict[str, Any] = {"backend": "ecgvision"}
        if self.artefact:
            made = _artefacts()(
                self.artefact, image, seed=seed, strength=self.strength, mask=mask, dpi=self.dpi
            )
            image, mask, geometry = made.image, made.mask, geometry.moved(made.warp)
            extra["artefact"] = {"name": self.artefact, "strength": self.strength}
        found = {"record": record.name, "seed": seed, **geometry.to_dict(), **extra}
        return Picture(image, found, mask)


def _artefacts() -> Callable[..., Any]:
    """Import `apply` of the artefacts on demand.

    Raises:
        ConfigError: if the artefacts cannot be imported.
    """
    try:
        artefacts = importlib.import_module("ecgvision.render.artefacts")
    except ImportError as error:
        raise ConfigError(
            f"artefacts cannot be drawn here: {error}", remedy="Install the `train` extra"
        ) from error
    apply: Callable[..., Any] = artefacts.apply
    return apply


class KitBackend:
    """ecg-image-kit, in a separate process that lives as long as this object.

    Args:
        layouts, dpi, seed, masks, points: as for `OurBackend`.
        checkout: folder of ecg-image-kit; None: from ECG_IMAGE_KIT_HOME.
        python: its interpreter; None: from ECG_IMAGE_KIT_PYTHON.
        flags: the kit's own flags.
        timeout: seconds after which a page fails.

    Raises:
        ConfigError: if the checkout or its interpreter does not work.
        LayoutError: for a page that the kit cannot draw.
    """

    def __init__(
        self, layouts: tuple[str, ...], dpi: float, seed: int, masks: bool, points: bool,
        checkout: str | None, python: str | None, flags: KitFlags, timeout: float,
    ) -> None:  # fmt: skip
        from ecgvision.render.kit.draw import Kit

        self.seed, self.masks, self.points = seed, masks, points
        self.pages = {name: Page(get_layout(name), dpi=dpi) for name in layouts}
        for page in self.pages.values():
            check_page(page)
        self.kit: Kit = Kit(checkout, python=python, flags=flags, timeout=timeout)

    def check(self) -> None:
        """Start the worker process and let it check checkout and flags."""
        self.kit.check()

    def close(self) -> None:
        """End the worker process."""
        self.kit.close()

    def __call__(self, record: Record, layout: str) -> Picture:
        """Draw the page of a record."""
        seed = page_seed(self.seed, record.name, layout)
        made = self.kit.draw(
            record.signal, record.rate, self.pages[layout], name=record.name, seed=seed,
            about=record.about, mask=self.masks, points=self.points,
        )  # fmt: skip
        return Picture(
            made.image, {"record": record.name, "seed": seed, **made.geometry}, made.mask
        )
