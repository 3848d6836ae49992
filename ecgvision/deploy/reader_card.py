"""The card of a reader's bundle: what `ecgvision digitize` must know. Imports numpy only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgvision.deploy.card import AGAIN, CARD, FIT, INPUT, MODEL, digest, versions
from ecgvision.ecg import LEADS, BundleError

FORMAT, VERSION = "ecgvision-reader", 1
OUTPUTS = ("signal", "scale", "presence", "trace")
INTENDED_USE = (
    "Research. Reads the waveforms of a picture of a printed 12-lead ECG. Not a medical device: "
    "what was read is to be held against the page before anything is concluded from it."
)
FIELDS = {
    "format": str, "version": int, "leads": list, "rate": float, "samples": int, "input": dict,
    "outputs": list, "least_confidence": float, "metrics": dict, "info": dict, "files": dict,
    "versions": dict, "intended_use": str, "digest": str,
}  # fmt: skip
"""What the card must hold, with types. Further fields are kept and ignored."""


def make_reader_card(
    image_size: Sequence[int], *, rate: float, samples: int, least_confidence: float,
    metrics: Mapping[str, Any], info: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """A card without `files` and `digest`, which follow when the model is written.

    Args:
        image_size: (H, W) of the network's input.
        rate: Hz of what is read; samples: of each lead.
        least_confidence: of a page's best lead, below which nothing is said to be readable.
        metrics, info: plain JSON values.

    Raises:
        BundleError: if metrics or info hold what JSON cannot.
    """
    card = {
        "format": FORMAT,
        "version": VERSION,
        "leads": list(LEADS),
        "rate": float(rate),
        "samples": int(samples),
        "input": {
            "name": INPUT, "dtype": "uint8", "layout": "NCHW", "channels": "RGB",
            "size": [int(side) for side in image_size], "fit": FIT,
        },
        "outputs": list(OUTPUTS),
        "least_confidence": float(least_confidence),
        "metrics": dict(metrics),
        "info": dict(info),
        "intended_use": INTENDED_USE,
        "versions": versions(),
    }  # fmt: skip
    try:
        return json.loads(json.dumps(card, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BundleError("metrics and info must be plain JSON values", value=str(error),
                          remedy="Convert them") from error  # fmt: skip


def reader_notes(card: Mapping[str, Any]) -> dict[str, str]:
    """What the model file repeats of its card, so that the two cannot be mixed up."""
    return {"ecgvision.reader": json.dumps([card[k] for k in ("leads", "rate", "samples")])}


def read_reader_card(path: Path) -> dict[str, Any]:
    """Read and check the card of the reader in a folder, not yet the files it names.

    Raises:
        BundleError: if it is missing, altered, incomplete, of another kind or version.
    """
    file = path / CARD
    if not path.is_dir():
        raise BundleError(
            "no such bundle folder",
            file=path,
            remedy="Give the folder `bundle` of a finished run of +exp=read",
        )
    try:
        card = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise BundleError("the bundle has no card", file=file, remedy=AGAIN) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError("cannot be read", file=file, value=str(error), remedy=AGAIN) from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else None
        raise BundleError(f"not the card of an {FORMAT}", file=file, value=found,
                          remedy="Give the bundle of a run of +exp=read; a student's bundle is for "
                          "ecgvision predict")  # fmt: skip
    if card.get("version") != VERSION:
        raise BundleError(
            f"this version of ecgvision reads readers of version {VERSION}",
            file=file,
            value=card.get("version"),
            remedy="Install the ecgvision that wrote it, or export it again",
        )
    for field, kind in FIELDS.items():
        if not isinstance(card.get(field), kind):
            raise BundleError(f"the card lacks {field!r}", file=file, remedy=AGAIN)
    if digest(card) != card["digest"]:
        raise BundleError("the card was altered after export", file=file, value=card["digest"],
                          remedy=AGAIN)  # fmt: skip
    size = card["input"].get("size")
    faults = {
        f"leads must be {list(LEADS)}": card["leads"] != list(LEADS),
        "rate and samples must be positive": not (card["rate"] > 0 and card["samples"] > 0),
        "input.size must be [height, width]": not isinstance(size, list)
        or len(size) != 2
        or not all(type(side) is int and side > 0 for side in size),
        f"outputs must be {list(OUTPUTS)}": card["outputs"] != list(OUTPUTS),
        f"files must name {MODEL}": MODEL not in card["files"],
    }
    for fault, present in faults.items():
        if present:
            raise BundleError(fault, file=file, remedy=AGAIN)
    return card
