"""How a page looks: colours, widths and what is written on it. Where things stand is `Page`'s."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..ecg import ConfigError

Rgb = tuple[int, int, int]

GRID_COLOURS: dict[str, tuple[Rgb, Rgb]] = {
    "1": ((109, 50, 47), (150, 107, 101)),
    "2": ((255, 203, 221), (254, 237, 248)),
    "3": ((0, 0, 102), (0, 0, 178)),
    "4": ((0, 76, 0), (0, 204, 76)),
    "5": ((255, 0, 0), (254, 223, 219)),
    "bw": ((102, 102, 102), (191, 191, 191)),
}
"""Major and minor colours by the numbers of ecg-image-kit: brown, pink, blue, green, red, grey."""


@dataclass(frozen=True)
class Style:
    """Everything about a page's look.

    Attributes:
        grid: draw the grid.  grid_rgb: its major and minor colours.
        paper_rgb: the background.  frame: a black line around the page.
        ink: colour of the traces; None draws a grey of at most a fifth of white from the seed.
        trace_pt, pulse_pt, separator_pt: widths in points (1/72 inch).
        pulse: draw the calibration pulse in the room the page leaves for it.
        separators: a thick bar between the columns of a row.
        lead_names: print the lead's name under its start.
        scale_text: print speed and gain at the foot of the page.
        header: print the header lines a caller gives; "invented" makes some up from the seed
            where none are given (an id and a date: nothing that could tell of the heart).
        font_pt: size of all text.
    """

    grid: bool = True
    grid_rgb: tuple[Rgb, Rgb] = GRID_COLOURS["5"]
    paper_rgb: Rgb = (255, 255, 255)
    frame: bool = True
    ink: Rgb | None = None
    trace_pt: float = 0.75
    pulse_pt: float = 1.125
    separator_pt: float = 2.25
    pulse: bool = True
    separators: bool = True
    lead_names: bool = True
    scale_text: bool = True
    header: str = "given"
    font_pt: float = 11.0

    def __post_init__(self) -> None:
        for name in ("trace_pt", "pulse_pt", "separator_pt", "font_pt"):
            value = getattr(self, name)
            if not 0 < value <= 72:
                raise ConfigError(f"{name} must lie in (0, 72] points", value=value)
        colours = (*self.grid_rgb, self.paper_rgb, self.ink or (0, 0, 0))
        for colour in colours:
            if len(colour) != 3 or not all(0 <= v <= 255 for v in colour):
                raise ConfigError("a colour is three values from 0 to 255", value=colour)
        if self.header not in ("given", "invented"):
            raise ConfigError("header is 'given' or 'invented'", value=self.header)


STYLES: dict[str, Style] = {
    "kit": Style(),
    "bw": Style(grid_rgb=GRID_COLOURS["bw"], ink=(0, 0, 0)),
    "plain": Style(grid=False, frame=False, ink=(0, 0, 0)),
}
"""`kit` is the default page of ecg-image-kit, `bw` its black-and-white one, `plain` has no grid."""


def get_style(name: str = "kit", **changes: object) -> Style:
    """The style of that name with some attributes changed.

    Raises:
        ConfigError: for a name that is not in `STYLES`, or a value that makes no sense.
    """
    if name not in STYLES:
        raise ConfigError("unknown style", value=name, remedy=f"Known: {', '.join(STYLES)}")
    return replace(STYLES[name], **changes)  # type: ignore[arg-type]


def parse_colour(text: str) -> Rgb:
    """`#rrggbb` as three values from 0 to 255.

    Raises:
        ConfigError: for anything else.
    """
    digits = text.removeprefix("#")
    try:
        if len(digits) != 6:
            raise ValueError
        r, g, b = bytes.fromhex(digits)
    except ValueError:
        raise ConfigError("a colour is written #rrggbb", value=text) from None
    return r, g, b


def grid_colours(text: str) -> tuple[Rgb, Rgb]:
    """Grid colours from a name of `GRID_COLOURS`, or `#major,#minor`, or `#major` alone.

    A minor colour that is not given is the major one, three quarters of the way to white.
    """
    if text in GRID_COLOURS:
        return GRID_COLOURS[text]
    parts = [parse_colour(p) for p in text.split(",")]
    if len(parts) > 2:
        raise ConfigError("a grid has two colours", value=text, remedy="Write #major,#minor")
    major = parts[0]
    faint = (major[0] + 3 * 255) // 4, (major[1] + 3 * 255) // 4, (major[2] + 3 * 255) // 4
    return major, parts[1] if len(parts) == 2 else faint


def random_style(rng: np.random.Generator) -> Style:
    """A style for training variety.

    Grid colours are the kit's random ones (major R up to .8, G and B up to .5; the minor lighter)
    for half of the pages and its five standard pairs for the others. The rest are our defaults:
    pages without a grid, pulse, names or frame are real but rare, and traces of 0.5 to 1.2 pt span
    thermal and laser printers.
    """
    pair = GRID_COLOURS[str(rng.integers(1, 6))]
    if rng.random() < 0.5:
        pair = _random_grid(rng)
    grey = int(rng.uniform(0, 0.2) * 255)
    ink: Rgb = (grey, grey, grey)
    if rng.random() < 0.2:  # blue or violet ink of thermal paper
        ink = (int(rng.integers(0, 80)), int(rng.integers(0, 60)), int(rng.integers(60, 140)))
    if rng.random() < 0.1:
        pair, ink = GRID_COLOURS["bw"], (0, 0, 0)
    tint = rng.integers(0, 16, 3) if rng.random() < 0.3 else np.zeros(3, int)
    return Style(
        grid=bool(rng.random() < 0.92),
        grid_rgb=pair,
        paper_rgb=(255 - int(tint[0]), 255 - int(tint[1]), 255 - int(tint[2])),
        frame=bool(rng.random() < 0.7),
        ink=ink,
        trace_pt=float(rng.uniform(0.5, 1.2)),
        pulse=bool(rng.random() < 0.8),
        separators=bool(rng.random() < 0.7),
        lead_names=bool(rng.random() < 0.95),
        scale_text=bool(rng.random() < 0.8),
        header="invented" if rng.random() < 0.4 else "given",
        font_pt=float(rng.choice((9.0, 10.0, 11.0, 12.0))),  # few sizes: text is cached
    )


def _random_grid(rng: np.random.Generator) -> tuple[Rgb, Rgb]:
    major = rng.uniform(0, (0.8, 0.5, 0.5))
    offset = rng.uniform(0, 0.2)
    minor = np.array([major[0], *rng.uniform(0, 0.5, 2)]) + offset
    a, b = (major * 255).astype(int).tolist(), (minor * 255).astype(int).tolist()
    return (a[0], a[1], a[2]), (b[0], b[1], b[2])
