"""What comes with the package: a trained page reader. Imports nothing."""

from os import PathLike, fspath
from pathlib import Path

READER = Path(__file__).parent / "reader"
"""A run directory of `+exp=read`, with its bundle and a card that says what it was made from."""

NAME = "shipped"
"""What stands for it wherever a run directory is asked for, e.g. `model.reader=shipped`."""


def resolve_run(given: str | PathLike[str]) -> Path:
    """Return the given run directory; `shipped` stands for that of the package's reader."""
    return READER if fspath(given) == NAME else Path(given)


def resolve_bundle(given: str | PathLike[str]) -> Path:
    """Return the given bundle folder; `shipped` stands for that of the package's reader."""
    return READER / "bundle" if fspath(given) == NAME else Path(given)
