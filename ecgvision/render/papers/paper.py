"""A paper: a style, and the page attributes that belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ecgvision.core.errors import LayoutError
from ecgvision.core.layouts import LAYOUTS, Layout, get_layout
from ecgvision.core.page import Page
from ecgvision.render.style import Style

TWELVE = tuple(name for name in LAYOUTS if not name.startswith("1x1:"))


@dataclass(frozen=True)
class Paper:
    """A device's page without the recording.

    Attributes:
        follows: the device or page that it imitates.
        style: its look.
        layouts: names of its usual layouts; the first is the most typical. `random_paper` uses only
            these, `page` takes any layout that fits.
        sheet: attributes of `Page` that differ from the kit's, except layout and dpi.
    """

    follows: str
    style: Style
    layouts: tuple[str, ...]
    sheet: Mapping[str, Any] = field(default_factory=dict)

    def takes(self, layout: str) -> bool:
        """Return whether the paper may be drawn for a layout.

        It may if the layout is one of its usual ones, or if the layout has no name of its own and
        fits.
        """
        if layout in LAYOUTS:
            return layout in self.layouts
        return _fits(layout, self.sheet)

    def page(self, layout: Layout | str, **given: Any) -> Page:
        """Return the page of a layout; given attributes of `Page` override the paper's own.

        If the speed, paper size or pulse is given without `seconds`, the page chooses its window
        itself.

        Raises:
            LayoutError: if the layout is unknown or does not fit; it names those that do.
        """
        chosen = get_layout(layout) if isinstance(layout, str) else layout
        wanted = {**self.sheet, **given}
        if given.keys() & {"speed", "paper_mm", "pulse"} and "seconds" not in given:
            wanted.pop("seconds", None)  # chosen for the paper's own width and speed
        try:
            return Page(chosen, **wanted)
        except LayoutError as error:
            fitting = [name for name in TWELVE if _fits(name, wanted)]
            if not fitting:
                raise
            fit = f"On this paper fit: {', '.join(fitting)}"
            remedy = f"{error.remedy}. {fit}" if error.remedy else fit
            raise LayoutError(error.what, value=error.value, remedy=remedy) from error


def _fits(layout: str, wanted: Mapping[str, Any]) -> bool:
    try:
        Page(get_layout(layout), **wanted)
    except LayoutError:
        return False
    return True
