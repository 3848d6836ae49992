"""Checks of the settings of views; imports nothing slow."""

from __future__ import annotations

import math

from ecgvision.core.errors import ConfigError

Range = tuple[float, float]


def check_counts(global_views: int, local_views: int) -> None:
    """Refuse too few views for self-supervised training.

    Raises:
        ConfigError: for less than one global view, a negative count, or less than two views in all.
    """
    if global_views < 1 or local_views < 0 or global_views + local_views < 2:
        raise ConfigError(
            "self-supervised training needs a global view and another to compare it with",
            value={"global_views": global_views, "local_views": local_views},
        )


def check_range(name: str, value: Range, low: float, high: float) -> None:
    """Refuse a range (from, to) that is not ascending or not within [low, high].

    Raises:
        ConfigError: for an invalid range; names the setting.
    """
    if len(value) != 2 or not low <= value[0] <= value[1] <= high or not math.isfinite(value[1]):
        raise ConfigError(f"{name} must be (from, to), rising, within {low:g} and {high:g}",
                          value=value)  # fmt: skip


def check_share(name: str, value: float) -> None:
    """Refuse a share outside [0, 1].

    Raises:
        ConfigError: for an invalid share; names the setting.
    """
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} must lie between 0 and 1", value=value)
