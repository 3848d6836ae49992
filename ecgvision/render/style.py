"""Look of a page: colours, widths and texts. `Page` determines the positions of the traces."""

from __future__ import annotations

from dataclasses import dataclass

from ecgvision.core.errors import ConfigError
from ecgvision.render.text import FACES

Rgb = tuple[int, int, int]

GRID_COLOURS: dict[str, tuple[Rgb, Rgb]] = {
    "1": ((109, 50, 47), (150, 107, 101)),
    "2": ((255, 203, 221), (254, 237, 248)),
    "3": ((0, 0, 102), (0, 0, 178)),
    "4": ((0, 76, 0), (0, 204, 76)),
    "5": ((255, 0, 0), (254, 223, 219)),
    "bw": ((102, 102, 102), (191, 191, 191)),
}
"""Major and minor colours by ecg-image-kit's numbers: brown, pink, blue, green, red, grey."""


POINTS = ("trace_pt", "pulse_pt", "separator_pt", "font_pt")
WORDS = {
    "minor": ("lines", "dots", "none"),
    "name_place": ("below", "above", "left"),
    "scale_place": ("foot", "left", "right", "head"),
    "header": ("given", "invented"),
    "font": tuple(FACES),
}


@dataclass(frozen=True)
class Style:
    """Look of a page; the defaults are those of ecg-image-kit.

    Attributes:
        grid: draw the grid.
        grid_rgb: major and minor colours of the grid.
        grid_pt: widths of its major and minor lines.
        minor: marks at every millimetre: "lines", "dots" where lines would cross, or "none".
        paper_rgb: colour of the background.
        frame: draw a black line around the page.
        ink: colour of the traces; None draws a grey of at most a fifth of white from the seed.
        trace_pt, pulse_pt, separator_pt: widths in points (1/72 inch).
        pulse: draw the calibration pulse in the space that the page leaves for it.
        separators: draw a vertical bar between the columns of a row.
        separator_mm: length of the separators.
        lead_names: print the leads' names.
        name_place: "below" a lead's start, "above" it, or "left" of the row, before the pulse
            (above the start in every column but the first).
        scale_text: print speed and gain.
        scale_words: text with {speed} in mm/s and {gain} in mm/mV; tabs divide it into parts.
        scale_place: "foot" sets the parts 50 mm apart, from 50 mm on; "left" and "right" print one
            line at that end of the foot; "head" prints one line at the right end of the page's
            first line.
        header: "given" prints the header lines that a caller gives; "invented" makes some up from
            the seed if none are given (see `header.invent`: nothing that could reveal the
            diagnosis).
        header_lines: invented lines, with the fields of `header.invent`; tabs set columns.
        header_left_mm: start of the first column of the header.
        header_column_mm, header_line_mm: distance of the header's columns and lines.
        font: one of `text.FACES`, DejaVu in five faces.
        text_rgb: colour of all text.
        font_pt: size of names, and of all other text unless note_pt is set.
        note_pt: size of header and scale, None for font_pt.

    Raises:
        ConfigError: if a width, a colour or a keyword is invalid.
    """

    grid: bool = True
    grid_rgb: tuple[Rgb, Rgb] = GRID_COLOURS["5"]
    grid_pt: tuple[float, float] = (0.5, 0.5)
    minor: str = "lines"
    paper_rgb: Rgb = (255, 255, 255)
    frame: bool = True
    ink: Rgb | None = None
    trace_pt: float = 0.75
    pulse_pt: float = 1.125
    separator_pt: float = 2.25
    separator_mm: float = 6.3  # the kit's 0.63 mV at 200 dpi; in mV its length varies with dpi
    pulse: bool = True
    separators: bool = True
    lead_names: bool = True
    name_place: str = "below"
    scale_text: bool = True
    scale_words: str = "{speed:g}mm/s\t{gain:g}mm/mV"
    scale_place: str = "foot"
    header: str = "given"
    header_lines: tuple[str, ...] = ("ID: {id}\tName:\tDate: {date}",)
    header_left_mm: float = 1.25
    header_column_mm: float = 75.0
    header_line_mm: float = 5.0
    font: str = "sans"
    text_rgb: Rgb = (0, 0, 0)
    font_pt: float = 11.0
    note_pt: float | None = None

    def __post_init__(self) -> None:
        points = {name: getattr(self, name) for name in POINTS}
        points |= {"grid_pt": min(self.grid_pt), "note_pt": self.small_pt}
        for name, value in points.items():
            if not 0 < value <= 72:
                raise ConfigError(f"{name} must lie in (0, 72] points", value=value)
        for name in ("separator_mm", "header_left_mm", "header_column_mm", "header_line_mm"):
            value = getattr(self, name)
            if not 0 < value <= 1000:
                raise ConfigError(f"{name} must lie in (0, 1000] mm", value=value)
        colours = (*self.grid_rgb, self.paper_rgb, self.ink or (0, 0, 0), self.text_rgb)
        for colour in colours:
            if len(colour) != 3 or not all(0 <= v <= 255 for v in colour):
                raise ConfigError("a colour is three values from 0 to 255", value=colour)
        for name, known in WORDS.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is one of {', '.join(known)}", value=getattr(self, name))
        try:
            self.scale_words.format(speed=25.0, gain=10.0)
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigError(
                "scale_words has other fields than {speed} and {gain}", value=self.scale_words
            ) from error

    @property
    def small_pt(self) -> float:
        """Size of header and scale in points."""
        return self.font_pt if self.note_pt is None else self.note_pt


def parse_colour(text: str) -> Rgb:
    """Parse `#rrggbb` to three values from 0 to 255.

    Raises:
        ConfigError: for any other text.
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
    """Return grid colours for a name of `GRID_COLOURS`, for `#major,#minor`, or for `#major` alone.

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
