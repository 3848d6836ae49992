"""Folds of the splits. Imports nothing slow, so that they can be checked first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecgvision.core.errors import ConfigError, DataError

SPLITS = ("train", "val", "test")


def check_folds(folds: Mapping[str, Sequence[int]]) -> dict[int, str]:
    """Return the split of each fold.

    Args:
        folds: the folds of each of `SPLITS`.

    Raises:
        ConfigError: if the folds of a split are not a list of whole numbers.
        DataError: if a fold is in two splits.
    """
    used: dict[int, str] = {}
    for split in SPLITS:
        given = folds[split]
        if isinstance(given, str) or not all(isinstance(fold, int) for fold in given):
            raise ConfigError(f"data.folds.{split} must be a list of whole numbers", value=given)
        for fold in given:
            if used.setdefault(fold, split) != split:
                raise DataError(f"fold {fold} stands in both {used[fold]} and {split}",
                                remedy="Give each fold to one split")  # fmt: skip
    return used
