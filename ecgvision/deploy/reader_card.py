"""The card of a reader bundle: what `ecgvision digitize` needs to know. Imports numpy only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgvision.core.ecg import LEADS
from ecgvision.deploy.card_file import CARD, READER, open_card, refuse_faults, seal

MAX_RATE = 100_000
MAX_SAMPLES = 10_000_000
"""Largest rate and number of samples of a lead (our defaults)."""

OUTPUTS = ("signal", "scale", "presence", "trace", "gain")
INTENDED_USE = (
    "Research. Reads the waveforms of a picture of a printed 12-lead ECG. Not a medical device: "
    "what was read is to be held against the page before anything is concluded from it."
)
FIELDS = {"leads": list, "rate": float, "samples": int, "gains": list, "calibration": list,
          "least_confidence": float}  # fmt: skip
"""Fields of this kind of card, in addition to those of every card, with types."""


def make_reader_card(
    image_size: Sequence[int], *, rate: float, samples: int, gains: Sequence[float],
    calibration: Sequence[float], least_confidence: float, metrics: Mapping[str, Any],
    info: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Make a card without `files` and `digest`, which are added when the model is written.

    Args:
        image_size: (H, W) of the network's input.
        rate: sampling rate of the output in Hz.
        samples: samples of each lead.
        gains: values of the classes of the output `gain`; see `dense_head.RELATIVE_GAINS`.
        calibration: calibration of confidences; see `confidence.calibrated`.
        least_confidence: confidence below which a page counts as unreadable.
        metrics, info: JSON values; numbers that are not finite become null.

    Raises:
        BundleError: if metrics or info are not plain JSON values.
    """
    own = {"leads": list(LEADS), "rate": float(rate), "samples": int(samples),
           "gains": [float(gain) for gain in gains],
           "calibration": [float(value) for value in calibration],
           "least_confidence": float(least_confidence)}  # fmt: skip
    return seal(READER, image_size, OUTPUTS, own, metrics=metrics, info=info,
                intended_use=INTENDED_USE)  # fmt: skip


def reader_notes(card: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata that the model file repeats from its card, to detect mix-ups."""
    return {
        "ecgvision.reader": json.dumps([card[k] for k in ("leads", "rate", "samples", "gains")])
    }


def read_reader_card(path: Path) -> dict[str, Any]:
    """Read and check the card of the reader in a folder, but not the files that it lists.

    Raises:
        BundleError: if the card is missing, altered, incomplete or inconsistent, or of another kind
            or version.
    """
    card = open_card(path, READER, OUTPUTS, FIELDS)
    refuse_faults(path / CARD, {
        f"leads must be {list(LEADS)}": card["leads"] != list(LEADS),
        f"rate must be 1 to {MAX_RATE:,} Hz": not 1 <= card["rate"] <= MAX_RATE,
        f"samples must be 1 to {MAX_SAMPLES:,}": not 1 <= card["samples"] <= MAX_SAMPLES,
        "gains must be numbers of 0.01 to 100": not _numbers(card["gains"], 0.01, 100)
        or not card["gains"],
        "calibration must be a slope and an offset of at most 1000":
        not _numbers(card["calibration"], -1000, 1000) or len(card["calibration"]) != 2,
        "least_confidence must be 0 to 1": not 0 <= card["least_confidence"] <= 1,
    })  # fmt: skip
    return card


def _numbers(values: Sequence[Any], least: float, most: float) -> bool:
    """Return whether all are floats in the range, which NaN is not."""
    return all(isinstance(v, float) and least <= v <= most for v in values)
