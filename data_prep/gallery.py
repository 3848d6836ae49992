"""Draw a contact sheet of pages of one record: layouts, papers and artefacts side by side.

    python -m data_prep.gallery RECORD --out docs/gallery.png
    python -m data_prep.gallery RECORD --out sheet.png --styles muse,kit --layouts 3x4+II,6x2

By default the sheet shows every paper in its most usual layout, then every preset of artefacts.
With --styles, --layouts or --artefacts it shows all combinations of the given names.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.ecg import Ecg
from ecgvision.core.errors import ConfigError, EcgVisionError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import MM_PER_INCH, Page
from ecgvision.records.command import add_record_options
from ecgvision.records.notes import gaps, sentences
from ecgvision.records.option_names import COMMAND
from ecgvision.records.recording import open_record
from ecgvision.render.papers.named import PAPERS, get_paper
from ecgvision.render.text import text_coverage

COLUMNS = 3
GAP_PX, CAPTION_PX, LETTERS_PX = 16, 30, 18
BACKDROP = 214  # grey level of the background
LIMIT = 2_500_000  # bytes; small enough for a repository
SHOWN = "muse"  # the paper on which artefacts are shown
OVERSAMPLED = 2.0  # artefacts are applied at this many times the sheet's resolution


@dataclass(frozen=True)
class Entry:
    """One page of the sheet; artefact "" means none."""

    style: str
    layout: str
    artefact: str = ""

    @property
    def caption(self) -> str:
        """Text below the page."""
        return ", ".join(v for v in (self.style, self.layout, self.artefact) if v)


def everything() -> list[Entry]:
    """Return each paper in its most usual layout, then each preset of artefacts except clean."""
    from ecgvision.render.artefacts import CLEAN

    papers = [Entry(name, paper.layouts[0]) for name, paper in PAPERS.items()]
    shown = get_paper(SHOWN).layouts[0]
    return papers + [Entry(SHOWN, shown, name) for name in presets() if name != CLEAN]


def chosen(styles: Sequence[str], layouts: Sequence[str], artefacts: Sequence[str]) -> list[Entry]:
    """Return all combinations; without layouts each style has its most usual one.

    Raises:
        ConfigError: for an unknown style or artefact.
        LayoutError: for an unknown layout, or one that does not fit a paper.
    """
    if artefacts and not presets():
        raise ConfigError("there are no artefacts in this installation", value=artefacts[0])
    for artefact in artefacts:
        _artefacts().check_name(artefact)
    found = []
    for style in styles or (["kit"] if layouts else [SHOWN]):
        paper = get_paper(style)
        for layout in layouts or paper.layouts[:1]:
            paper.page(layout)  # raises before anything is drawn
            found += [Entry(style, layout, artefact) for artefact in artefacts or [""]]
    return found


def presets() -> list[str]:
    """Return the names of artefact presets; empty if the artefacts package is not installed."""
    package = _artefacts()
    return [] if package is None else list(package.PRESETS)


def _artefacts() -> Any:
    """Import the artefacts package, which is slow, on demand; None if it is not installed."""
    name = "ecgvision.render.artefacts"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def sheet(
    ecg: Ecg, entries: Sequence[Entry], width: int, *, seed: int, strength: float
) -> NDArray[np.uint8]:
    """Return the sheet (H, W, 3) uint8: rows of `COLUMNS` pages, each at most `width` px wide."""
    columns = min(COLUMNS, len(entries))
    pages = [
        _page(ecg, entry, width, seed=seed + i, strength=strength)  # a different seed for each page
        for i, entry in enumerate(entries)
    ]
    rows = [pages[i : i + columns] for i in range(0, len(pages), columns)]
    across = columns * (width + GAP_PX) + GAP_PX
    strips = []
    for i, row in enumerate(rows):
        high = max(image.shape[0] for image in row)
        strip = np.full((high + CAPTION_PX + GAP_PX, across, 3), BACKDROP, np.uint8)
        for k, image in enumerate(row):
            left = GAP_PX + k * (width + GAP_PX)
            inner = left + (width - image.shape[1]) // 2
            strip[: image.shape[0], inner : inner + image.shape[1]] = image
            caption = entries[i * columns + k].caption
            _write_text(strip, caption, image.shape[0] + CAPTION_PX - 7, left + width // 2)
        strips.append(strip)
    top = np.full((GAP_PX, across, 3), BACKDROP, np.uint8)
    return np.concatenate([top, *strips])


def _page(ecg: Ecg, entry: Entry, width: int, *, seed: int, strength: float) -> NDArray[np.uint8]:
    import cv2

    from ecgvision.render.draw import draw

    paper = get_paper(entry.style)
    page = paper.page(get_layout(entry.layout))
    box = (width, width)  # no page is taller than a column is wide
    if not entry.artefact:
        return draw(ecg.signal, ecg.rate, page.fit(box), paper.style, seed=seed).image
    large = _at(page, OVERSAMPLED * page.fit(box).dpi)
    image = draw(ecg.signal, ecg.rate, large, paper.style, seed=seed).image
    moved = _artefacts().apply(entry.artefact, image, seed=seed, strength=strength, dpi=large.dpi)
    high, wide = moved.image.shape[:2]
    scale = min(width / wide, width / high)
    size = (max(1, round(wide * scale)), max(1, round(high * scale)))
    return np.asarray(cv2.resize(moved.image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _at(page: Page, dpi: float) -> Page:
    height, width = page.paper_mm
    return page.fit((math.ceil(height * dpi / MM_PER_INCH), math.ceil(width * dpi / MM_PER_INCH)))


def _write_text(image: NDArray[np.uint8], text: str, y: int, middle: int) -> None:
    """Draw black text centred at column `middle` with its baseline at row `y`, clipped."""
    cover, below, _ = text_coverage(text, LETTERS_PX, 72.0)
    left = max(0, middle - cover.shape[1] // 2)
    part = image[y + below : y + below + cover.shape[0], left : left + cover.shape[1]]
    part[:] = part * (255 - cover[: part.shape[0], : part.shape[1], None].astype(int)) // 255


def encode(image: NDArray[np.uint8]) -> bytes:
    """Encode the picture as a PNG of 256 colours, a third of the size of full colour."""
    from PIL import Image

    few = Image.fromarray(image).quantize(
        256, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE
    )
    buffer = BytesIO()
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def parser() -> argparse.ArgumentParser:
    """Build the command-line parser."""
    top = argparse.ArgumentParser(
        prog="python -m data_prep.gallery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = top.add_argument
    add("record", metavar="RECORD", help="WFDB record (with or without extension), .csv or .npy")
    add("--out", required=True, metavar="PNG", help="picture to write, under 2.5 MB")
    add_record_options(top)
    add("--layouts", default="", metavar="A,B", help="layouts (default: the style's most usual)")
    add("--styles", default="", metavar="A,B", help=f"of {', '.join(PAPERS)}")
    add("--artefacts", default="", metavar="A,B", help="presets or single artefacts")
    add("--strength", type=float, default=0.6, help="of artefacts, 0 to 1 (default %(default)s)")
    add("--seed", type=int, default=0, help="what styles and artefacts leave to chance (default 0)")
    add("--width", type=int, default=760, help="px of a page at most (default %(default)s)")
    return top


def run(args: argparse.Namespace) -> None:
    """Draw the sheet and write it, with smaller pages if the file would exceed `LIMIT`.

    Raises:
        EcgVisionError: for an invalid argument, or a file that cannot be read or written.
    """
    if args.seed < 0:
        raise ConfigError("--seed must not be negative", value=args.seed)
    if not 100 <= args.width <= 4000:
        raise ConfigError("--width must lie in 100 to 4000 px", value=args.width)
    asked = [
        [word.strip() for word in text.split(",") if word.strip()]
        for text in (args.styles, args.layouts, args.artefacts)
    ]
    entries = chosen(*asked) if any(asked) else everything()
    record = open_record(
        args.record, rate=args.rate, unit=args.unit, orientation=args.orientation, options=COMMAND
    )
    windows = [get_paper(e.style).page(get_layout(e.layout)).window for e in entries]
    ecg = record.ecg(0, math.ceil(max(stop for _, stop in windows) * record.rate) + 1)
    width, out = args.width, Path(args.out)
    while True:
        image = sheet(ecg, entries, width, seed=args.seed, strength=args.strength)
        content = encode(image)
        if len(content) <= LIMIT or width <= 100:
            break
        width = max(100, round(width * max(0.7, 0.97 * math.sqrt(LIMIT / len(content)))))
    try:
        with atomic_file(out) as part:
            part.write_bytes(content)
    except OSError as error:
        remedy = "Name a file in a folder that exists and may be written"
        raise ConfigError(f"cannot write: {error.strerror}", file=out, remedy=remedy) from error
    print(f"{out}: {len(entries)} pages, {image.shape[1]} x {image.shape[0]} px")
    for line in [*sentences(ecg.notes), *gaps(ecg)]:
        print(f"note: {line}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0, or 2 after a one-line error that the user can fix.
    """
    try:
        run(parser().parse_args(argv))
    except EcgVisionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
