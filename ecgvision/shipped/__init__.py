"""What comes with the package: trained page readers and students. Imports nothing."""

from os import PathLike, fspath
from pathlib import Path

READER = Path(__file__).parent / "reader"
"""A run directory of `+exp=read`, with its bundle and a card that says what it was made from. It
sees the picture as it is; networks behind a reader start from it."""

PAGE_READER = Path(__file__).parent / "page_reader"
"""The bundle of the reader in paper coordinates, which `ecgvision digitize` uses, with its card."""

STUDENT = Path(__file__).parent / "student"
"""The bundle of the network of signals by which `ecgvision predict` answers, with its card."""

IMAGE_STUDENT = Path(__file__).parent / "image_student"
"""The bundle of the student that sees standard pages, with its card."""

NAME = "shipped"
"""What stands for them wherever a run directory or a bundle is asked for."""

STUDENT_NAME = "shipped-student"
"""What stands for the package's student wherever a bundle is asked for."""

IMAGE_STUDENT_NAME = "shipped-image-student"
"""What stands for the package's image student wherever a bundle is asked for."""

MODELS = {"waveform": STUDENT_NAME, "direct": IMAGE_STUDENT_NAME}
"""Names of the package's students in `ecgvision predict --model`, the default first."""


def resolve_run(given: str | PathLike[str]) -> Path:
    """Return the given run directory; `shipped` stands for that of the package's reader."""
    return READER if fspath(given) == NAME else Path(given)


def resolve_bundle(given: str | PathLike[str]) -> Path:
    """Return the given bundle folder; `shipped`, `shipped-student` and `shipped-image-student` are
    the package's."""
    own = {NAME: PAGE_READER, STUDENT_NAME: STUDENT, IMAGE_STUDENT_NAME: IMAGE_STUDENT}
    return own.get(fspath(given), Path(given))
