"""`ecgvision render RECORD --out page.png`: draw a record as a printed page."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.ecg import Ecg
from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import LAYOUTS
from ecgvision.core.page import Page
from ecgvision.records.command import add_record_options
from ecgvision.records.notes import gaps, sentences
from ecgvision.render.papers.named import (
    GRID_COLOURS,
    MIXED,
    PAPERS,
    Paper,
    Style,
    grid_colours,
    paper_of,
    parse_colour,
)

if TYPE_CHECKING:
    from ecgvision.render.artefacts import Picture
    from ecgvision.render.draw import Drawing


WRITABLE = "Name a file in a folder that exists and may be written"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ecgvision render`."""
    add = parser.add_argument
    parser.description = "Draw a 12-lead record as a printed page."
    layouts = ", ".join(name for name in LAYOUTS if not name.startswith("1x1"))
    add("record", help="WFDB record (with or without extension), .csv or .npy")
    add("--out", required=True, metavar="PNG", help="picture to write")
    add_record_options(parser)
    add("--start", type=float, default=0.0, help="second of the record at which the page begins")
    add("--layout", default="3x4+II", help=f"{layouts} or 1x1:<lead> (default %(default)s)")
    add("--dpi", type=float, help="pixels an inch (default 200)")
    add("--size", metavar="HxW", help="instead of --dpi: the largest page in so many pixels")
    add(
        "--paper", metavar="HxW", help="paper in mm (default the style's; kit: 215.9x279.4, letter)"
    )
    add("--speed", type=float, help="mm/s (default the style's; kit: 25)")
    add("--gain", type=float, help="mm/mV (default the style's; kit: 10)")
    add("--seconds", type=float, help="length of the window; default: the layout's, or what fits")
    add("--style", default="kit", help=f"{', '.join(PAPERS)} or {MIXED} (any, by --seed)")
    add("--grid-color", help=f"{', '.join(GRID_COLOURS)}, none, #major or #major,#minor")
    add("--ink-color", metavar="#RRGGBB", help="colour of the traces")
    add("--trace-pt", type=float, help="width of the traces in points (default 0.75)")
    add("--no-pulse", action="store_true", help="leave out the calibration pulse")
    add("--no-names", action="store_true", help="leave out the leads' names")
    add("--header", action="append", default=[], metavar="LINE", help="a line of header; repeat")
    add("--seed", type=int, default=0, help="what style and artefacts leave to chance (default 0)")
    add("--artefact", metavar="NAME", help="what becomes of the page: scan, fax, photocopy, photo, "
        "crumpled, hard, clean, or a single artefact by its name")  # fmt: skip
    add("--strength", type=float, help="of the artefact, from 0 (none) to 1 (the default)")
    add("--json", metavar="FILE", help="also write the page's geometry")
    add("--mask", metavar="PNG", help="also write the coverage of the traces")


def run(args: argparse.Namespace) -> int:
    """Draw the page, write the files, print what was written, and return the exit code."""
    if args.seed < 0:
        raise ConfigError("--seed must not be negative", value=args.seed)
    if args.strength is not None and args.artefact is None:
        raise ConfigError("--strength needs --artefact", value=args.strength)
    paper = paper_of(args.style, args.layout, np.random.default_rng(args.seed))
    page = _page(args, paper)
    style = _style(args, paper)
    if args.artefact is not None:
        from ecgvision.render.artefacts import check_name

        check_name(args.artefact)
    for path in (args.out, args.json, args.mask):
        if path is not None:
            _check_folder(Path(path))
    ecg = _read(args, page.window[1])
    from ecgvision.render.draw import draw  # slow to import

    drawing = draw(
        ecg.signal,
        ecg.rate,
        page,
        style,
        seed=args.seed,
        header=args.header,
        mask=args.mask is not None,
        points=args.json is not None,
    )
    image, mask, dpi, warp = drawing.image, drawing.mask, page.dpi, None
    about: dict[str, Any] = {"record": ecg.record_id, "start": args.start, "notes": ecg.notes}
    if args.artefact is not None:
        picture, about["artefact"] = _pass_through(args, drawing, page)
        image, mask, warp = picture.image, picture.mask, picture.warp
        dpi *= warp.scale
    write_png(Path(args.out), image, dpi)
    if mask is not None:
        write_png(Path(args.mask), mask, dpi)
    if args.json is not None:
        geometry = drawing.geometry if warp is None else drawing.geometry.moved(warp)
        content = json.dumps({**about, **geometry.to_dict()}, allow_nan=False)
        _write(Path(args.json), content.encode())
    height, width = image.shape[:2]
    shown = min(page.window[1], ecg.seconds)
    print(
        f"{args.out}: {width} x {height} px, {page.layout.name}, "
        f"{args.start:g} to {args.start + shown:g} s of {ecg.record_id}"
    )
    for line in [*sentences(ecg.notes), *gaps(ecg)]:
        print(f"note: {line}")
    return 0


def _pass_through(
    args: argparse.Namespace, drawing: Drawing, page: Page
) -> tuple[Picture, dict[str, Any]]:
    """Return the page after the artefact, and its description for the JSON."""
    from ecgvision.render import artefacts

    strength = 1.0 if args.strength is None else args.strength
    picture = artefacts.apply(
        args.artefact,
        drawing.image,
        seed=args.seed,
        strength=strength,
        mask=drawing.mask,
        dpi=page.dpi,
    )
    applied = [{"name": name, "strength": own} for name, own in picture.applied]
    return picture, {
        "preset": args.artefact,
        "strength": strength,
        "seed": args.seed,
        "applied": applied,
    }


def _page(args: argparse.Namespace, paper: Paper) -> Page:
    if args.dpi is not None and args.size is not None:
        raise ConfigError("--dpi and --size exclude each other", value=args.size)
    given = {
        "dpi": args.dpi,
        "paper_mm": None if args.paper is None else _pair(args.paper, "--paper"),
        "speed": args.speed,
        "gain": args.gain,
        "seconds": args.seconds,
        "pulse": False if args.no_pulse else None,
    }
    page = paper.page(args.layout, **{k: v for k, v in given.items() if v is not None})
    if args.size is None:
        return page
    height, width = _pair(args.size, "--size")
    return page.fit((int(height), int(width)))


def _pair(text: str, option: str) -> tuple[float, float]:
    try:
        height, width = (float(part) for part in text.lower().split("x"))
    except ValueError:
        raise ConfigError(f"{option} is written HEIGHTxWIDTH", value=text) from None
    return height, width


def _style(args: argparse.Namespace, paper: Paper) -> Style:
    style = paper.style
    if args.grid_color == "none":
        style = replace(style, grid=False)
    elif args.grid_color is not None:
        style = replace(style, grid=True, grid_rgb=grid_colours(args.grid_color))
    if args.ink_color is not None:
        style = replace(style, ink=parse_colour(args.ink_color))
    if args.trace_pt is not None:
        style = replace(style, trace_pt=args.trace_pt)
    if args.no_names:
        style = replace(style, lead_names=False)
    return style


def _read(args: argparse.Namespace, seconds: float) -> Ecg:
    """Read what the page shows: `seconds` from --start on."""
    from ecgvision.records.option_names import COMMAND
    from ecgvision.records.recording import open_record

    record = open_record(
        args.record, rate=args.rate, unit=args.unit, orientation=args.orientation, options=COMMAND
    )
    first = round(args.start * record.rate)
    if not 0 <= first < record.length:
        raise ConfigError(f"--start lies outside the record's {record.seconds:g} s",
                          file=record.record_id, value=args.start)  # fmt: skip
    return record.ecg(first, first + ceil(seconds * record.rate) + 1)


def write_png(path: Path, image: NDArray[np.uint8], dpi: float) -> None:
    """Write grey (H, W) or RGB (H, W, 3) as a PNG that states its resolution, atomically.

    Raises:
        ConfigError: if the file cannot be written.
    """
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "PNG", dpi=(dpi, dpi), compress_level=6)
    _write(path, buffer.getvalue())


def _write(path: Path, content: bytes) -> None:
    """Write beside the target, then rename, so that the target is always complete."""
    _check_folder(path)
    try:
        with atomic_file(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"cannot write: {error.strerror}", file=path, remedy=WRITABLE) from error


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigError("there is no such folder", file=path, remedy=WRITABLE)
