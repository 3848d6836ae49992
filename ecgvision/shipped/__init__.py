"""What comes with the package: trained page readers and a student. Imports nothing."""

from os import PathLike, fspath
from pathlib import Path

READER = Path(__file__).parent / "reader"
"""A run directory of `+exp=read`, with its bundle and a card that says what it was made from. It
sees the picture as it is; networks behind a reader start from it."""

PAGE_READER = Path(__file__).parent / "page_reader"
"""The bundle of the reader in paper coordinates, which `ecgvision digitize` uses, with its card."""

STUDENT = Path(__file__).parent / "student"
"""The bundle of the network of signals by which `ecgvision predict` answers, with its card."""

NAME = "shipped"
"""What stands for them wherever a run directory or a bundle is asked for."""

STUDENT_NAME = "shipped-student"
"""What stands for the package's student wherever a bundle is asked for."""


def resolve_run(given: str | PathLike[str]) -> Path:
    """Return the given run directory; `shipped` stands for that of the package's reader."""
    return READER if fspath(given) == NAME else Path(given)


def resolve_bundle(given: str | PathLike[str]) -> Path:
    """Return the given bundle folder; `shipped` and `shipped-student` stand for the package's."""
    own = {NAME: PAGE_READER, STUDENT_NAME: STUDENT}
    return own.get(fspath(given), Path(given))
