"""Names that losses go by, checked; imports nothing slow, so that it can be done first of all."""

from __future__ import annotations

from typing import Literal, get_args

from ecgvision.core.errors import ConfigError

Negatives = Literal["disjoint", "official", "uniform"]
NEGATIVES: tuple[Negatives, ...] = get_args(Negatives)
"""Of contrastive transfer; see `negatives`."""

MASKED = ("focal", "bce")
"""Losses of systems that read signals of which parts are hidden."""


def check_masked_loss(name: str) -> None:
    """Refuse a loss that is not in `MASKED`.

    Raises:
        ConfigError: naming those there are.
    """
    if name not in MASKED:
        raise ConfigError(f"loss.name must be {' or '.join(MASKED)}", value=name)
