"""Silences Lightning messages that users cannot act on."""

from __future__ import annotations

import logging
import warnings

MESSAGES = (
    ".*does not have many workers.*",
    ".*exists and is not empty.*",  # runs are resumed on purpose
    ".*LeafSpec.*",  # e.g. https://github.com/Lightning-AI/pytorch-lightning/issues/20978
)


def silence_lightning() -> None:
    """Silence `MESSAGES` and Lightning's info log for this process."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in MESSAGES:
        warnings.filterwarnings("ignore", message=message)
