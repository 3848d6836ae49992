"""What the command lines of evaluations are asked for, checked before anything slow is imported."""

from __future__ import annotations

from pathlib import Path

from ecgvision.core.errors import ConfigError, DataError


def check_table_file(path: str | Path) -> None:
    """Refuse a predictions table that is not there.

    Raises:
        DataError: naming the file.
    """
    if not Path(path).is_file():
        raise DataError("there is no predictions table", file=path, remedy="Was the run finished?")


def check_draws(draws: int, seed: int = 0) -> None:
    """Refuse fewer bootstrap draws than one, and a seed below 0.

    Raises:
        ConfigError: naming the option.
    """
    if draws < 1:
        raise ConfigError("--draws must be a whole number from 1", value=draws)
    if seed < 0:
        raise ConfigError("--seed must be a whole number from 0", value=seed)
