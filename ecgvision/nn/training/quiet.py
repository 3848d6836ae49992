"""Lightning's messages that tell our users nothing they could act on."""

from __future__ import annotations

import logging
import warnings

MESSAGES = (
    ".*does not have many workers.*",
    ".*exists and is not empty.*",  # taking up a run is meant
    ".*LeafSpec.*",  # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin
)


def silence_lightning() -> None:
    """Silence them for this process."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in MESSAGES:
        warnings.filterwarnings("ignore", message=message)
