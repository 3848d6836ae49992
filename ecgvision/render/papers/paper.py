"""A paper: a look, and what it asks of the page."""

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
        follows: what it is in the manner of.
        style: its look.
        layouts: names of the layouts it is usual with; the first shows it best. `random_paper`
            keeps to them, `page` takes any layout that fits.
        sheet: what differs from the kit's `Page`: any of its attributes but layout and dpi.
    """

    follows: str
    style: Style
    layouts: tuple[str, ...]
    sheet: Mapping[str, Any] = field(default_factory=dict)

    def takes(self, layout: str) -> bool:
        """Whether the paper may be drawn for a layout: it is usual with it, or the layout has no
        name of its own and fits."""
        if layout in LAYOUTS:
            return layout in self.layouts
        return _fits(layout, self.sheet)

    def page(self, layout: Layout | str, **given: Any) -> Page:
        """The page of a layout, with attributes of `Page` that override the paper's own.

        With another speed or width, the window is the page's own choice again.

        Raises:
            LayoutError: for an unknown layout, or one that does not fit; it names those that do.
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
