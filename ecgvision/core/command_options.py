"""Checks of evaluation command-line options, made before slow imports."""

from __future__ import annotations

from pathlib import Path

from ecgvision.core.errors import ConfigError, DataError


def check_table_file(path: str | Path) -> None:
    """Check that a predictions table exists.

    Raises:
        DataError: naming the file.
    """
    if not Path(path).is_file():
        raise DataError("there is no predictions table", file=path, remedy="Was the run finished?")


def check_draws(draws: int, seed: int = 0) -> None:
    """Check that there is at least one bootstrap draw and that the seed is not negative.

    Raises:
        ConfigError: naming the option.
    """
    if draws < 1:
        raise ConfigError("--draws must be a whole number from 1", value=draws)
    if seed < 0:
        raise ConfigError("--seed must be a whole number from 0", value=seed)
