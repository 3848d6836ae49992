"""What comes with the package: a trained page reader. Imports nothing."""

from pathlib import Path

READER = Path(__file__).parent / "reader"
"""A run directory of `+exp=read`, with its bundle and a card that says what it was made from."""

NAME = "shipped"
"""What stands for it wherever a run directory is asked for, e.g. `model.reader=shipped`."""
