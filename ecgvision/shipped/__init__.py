"""What comes with the package: a trained page reader. Imports nothing."""

from os import PathLike, fspath
from pathlib import Path

READER = Path(__file__).parent / "reader"
"""A run directory of `+exp=read`, with its bundle and a card that says what it was made from. It
sees the picture as it is; networks behind a reader start from it."""

PAGE_READER = Path(__file__).parent / "page_reader"
"""The bundle of the reader in paper coordinates, which `ecgvision digitize` uses, with its card."""

NAME = "shipped"
"""What stands for them wherever a run directory or a bundle is asked for."""


def resolve_run(given: str | PathLike[str]) -> Path:
    """Return the given run directory; `shipped` stands for that of the package's reader."""
    return READER if fspath(given) == NAME else Path(given)


def resolve_bundle(given: str | PathLike[str]) -> Path:
    """Return the given bundle folder; `shipped` stands for that of the package's reader."""
    return PAGE_READER if fspath(given) == NAME else Path(given)
