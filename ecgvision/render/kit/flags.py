"""Flags of ecg-image-kit: passed on, replaced by this project's options, or without effect.

Names, defaults and effects are those of its scripts at commit 27b90f5.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ecgvision.core.errors import ConfigError

REPLACED = {
    ("-i", "--input_file", "--input_directory"): "name a store",
    ("-hea", "--header_file"): "name a store",
    ("-o", "--output_directory"): "use --out",
    ("-st", "--start_index"): "a page begins at the record's start",
    ("-se", "--seed"): "use --seed",
    ("-r", "--resolution"): "use --dpi",
    ("--num_columns", "--full_mode"): "use --layout",
    ("--max_num_images",): "use --limit",
}
"""Flags that are refused, because this project has its own option."""

NO_EFFECT = {
    "--num_leads": "the kit ignores it",
    "--deterministic_rot": "the kit ignores it",
    "--deterministic_crop": "the kit ignores it",
    "--deterministic_temp": "the kit ignores it",
    "--deterministic_hw_size": "the kit ignores it",
    "-t": "the kit ignores it",
    "--temperature": "the kit ignores it",
    "--mask_unplotted_samples": "it concerns the copy of the signal, which is not written",
    "--store_config": "the geometry is always written",
    "--lead_bbox": "the geometry always has boxes",
    "--lead_name_bbox": "the geometry always has boxes",
}
"""Flags that are accepted with a warning."""


@dataclass(frozen=True)
class KitFlags:
    """Checked flags.

    Attributes:
        words: arguments of the kit's script.
        effects: the effects that may occur, of `handwriting`, `wrinkles`, `augment`, `qr`.
        warnings: one line for each flag without effect.
    """

    words: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(
            f"flags of ecg-image-kit: {message}", remedy="`--help-kit` lists what it takes"
        )


def _number(kind: Callable[[str], Any], low: float, high: float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not in [{low:g}, {high:g}]")
        return value

    return read


_share = _number(float, 0, 1)

SWITCHES = {
    "--random_resolution": "a random dpi, from 50 to --dpi",
    "--random_padding": "a random padding, from 0 to --pad_inches",
    "--random_grid_color": "random colours of the grid",
    "--remove_lead_names": "leave out the leads' names",
    "--add_qr_code": "a QR code of the record's name at the top right",
    "--hw_text": "handwritten words (needs the weights, tensorflow and spaCy)",
    "--deterministic_offset": "handwriting exactly at --x_offset, --y_offset",
    "--deterministic_num_words": "exactly -n words",
    "--wrinkles": "wrinkles and creases",
    "--deterministic_angle": "creases at exactly -ca degrees",
    "--deterministic_vertical": "exactly -nv creases",
    "--deterministic_horizontal": "exactly -nh creases",
    "--augment": "rotation, noise, crop and colour temperature",
    "--deterministic_noise": "noise of exactly -noise",
    "--fully_random": "handwriting, wrinkles and augmentation, each at random",
}
VALUES: tuple[tuple[tuple[str, ...], Callable[[str], Any], str], ...] = (
    (("--config_file",), str, "YAML; only tickLength and tickSize_step count, the layout rules"),
    (("--pad_inches",), _number(int, 0, 20), "white margin in inches (0)"),
    (("--standard_grid_color",), _number(int, 1, 5), "brown, pink, blue, green, red (5)"),
    (("--calibration_pulse",), _share, "probability of the pulse (1)"),
    (("--random_grid_present",), _share, "probability of the grid (1)"),
    (("--random_print_header",), _share, "probability of a header (0)"),
    (("--random_bw",), _share, "probability of black and white (0)"),
    (("-l", "--link"), str, "file or address the handwritten words are taken from"),
    (("-n", "--num_words"), _number(int, 2, 100), "at most so many handwritten words (5)"),
    (("--x_offset",), _number(int, 1, 10**4), "at most so far from the top in px (30)"),
    (("--y_offset",), _number(int, 1, 10**4), "at most so far from the left in px (30)"),
    (("--hws",), _number(float, 0.01, 1), "handwriting's share of the page (0.2)"),
    (("-ca", "--crease_angle"), _number(int, 0, 90), "creases tilted by at most so much (90)"),
    (("-nv", "--num_creases_vertically"), _number(int, 1, 500), "at most so many (10)"),
    (("-nh", "--num_creases_horizontally"), _number(int, 1, 500), "at most so many (10)"),
    (("-rot", "--rotate"), _number(int, 0, 180), "rotated by at most so many degrees (0)"),
    (("-noise", "--noise"), _number(int, 1, 255), "standard deviation of noise, at most (50)"),
    (("-c", "--crop"), _number(float, 0, 0.45), "crop from each side, at most (0.01)"),
)


def parser() -> argparse.ArgumentParser:
    """Return a parser of the kit's flags that have an effect here."""
    found = _Parser(
        prog="… --backend ecg-image-kit --",
        description="Flags of ecg-image-kit, given after `--`.",
        allow_abbrev=False,
        add_help=False,
    )
    found.add_argument("-ph", "--print_header", action="store_true", help="name, age and sex")
    for name, text in SWITCHES.items():
        found.add_argument(name, action="store_true", help=text)
    for names, kind, text in VALUES:
        found.add_argument(*names, type=kind, metavar="VALUE", help=text)
    return found


def check(words: Sequence[str]) -> KitFlags:
    """Check a user's flags.

    Raises:
        ConfigError: if the kit does not know a flag, if it would fail on a value, or if this
            project has its own option (naming it).
    """
    for names, remedy in REPLACED.items():
        for word in words:
            if word.partition("=")[0] in names:
                raise ConfigError(
                    "this flag of ecg-image-kit is not passed on", value=word, remedy=remedy
                )
    tool = parser()
    for name in NO_EFFECT:
        dest = "dead" + name.replace("-", "_")
        if name == "--store_config":
            tool.add_argument(name, dest=dest, nargs="?", const="1")
        elif name in ("--num_leads", "-t", "--temperature"):
            tool.add_argument(name, dest=dest)
        else:
            tool.add_argument(name, dest=dest, action="store_const", const="1")
    given = vars(tool.parse_args(list(words)))
    warnings = [
        f"{name} has no effect: {why}"
        for name, why in NO_EFFECT.items()
        if given.pop("dead" + name.replace("-", "_")) is not None
    ]
    for key in ("config_file", "link"):
        value = given[key]
        if value and not (key == "link" and "://" in value):
            if not Path(value).is_file():
                raise ConfigError(f"--{key}: there is no such file", file=value)
            given[key] = str(Path(value).resolve())
    if given["config_file"]:
        warnings.append("--config_file: only tickLength and tickSize_step count")
    out: list[str] = []
    for key, value in given.items():
        if value is True:
            out.append(f"--{key}")
        elif value is not None and value is not False:
            out += [f"--{key}", str(value)]
    chance = given["fully_random"]
    effects = {
        "handwriting": given["hw_text"] or chance,
        "wrinkles": given["wrinkles"] or chance,
        "augment": given["augment"] or chance,
        "qr": given["add_qr_code"],
    }
    return KitFlags(tuple(out), tuple(n for n, asked in effects.items() if asked), tuple(warnings))
