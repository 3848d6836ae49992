"""Names of losses and checks of them; imports nothing slow, so they can be checked first."""

from __future__ import annotations

from typing import Literal, get_args

from ecgvision.core.errors import ConfigError

Negatives = Literal["disjoint", "official", "uniform"]
NEGATIVES: tuple[Negatives, ...] = get_args(Negatives)
"""Kinds of negatives in contrastive transfer; see `negatives`."""

MASKED_LOSSES = ("focal", "bce")
"""Losses of systems that read partly masked signals."""


def check_masked_loss(name: str) -> None:
    """Refuse a loss that is not in `MASKED_LOSSES`.

    Raises:
        ConfigError: for an unknown name; lists the known ones.
    """
    if name not in MASKED_LOSSES:
        raise ConfigError(f"loss.name must be {' or '.join(MASKED_LOSSES)}", value=name)
