"""The card of a student bundle: the common fields, labels and operating points.

Imports numpy only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ecgvision.core.errors import BundleError
from ecgvision.deploy.card_file import CARD, REEXPORT, STUDENT, open_card, refuse_faults, seal
from ecgvision.labels.schemes import LabelScheme

INTENDED_USE = (
    "Research. Reads a picture of a printed 12-lead ECG and names findings of the label scheme. "
    "Not a medical device: no output may decide on a person's care without a reader's own look."
)
OUTPUTS = ("logits", "probabilities", "decisions")
FIELDS = {"labels": dict, "operating_points": dict}
"""Fields of this kind of card, in addition to those of every card, with types."""


def model_notes(card: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata that the model file repeats from its card, to detect mix-ups."""
    labels, points = card["labels"], card["operating_points"]
    return {
        "ecgvision.codes": json.dumps(labels["codes"]),
        "ecgvision.label_hash": labels["hash"],
        "ecgvision.operating_points": json.dumps(points, sort_keys=True),
    }


def make_card(
    image_size: Sequence[int],
    *,
    scheme: Any,
    points: Any,
    metrics: Mapping[str, Any],
    info: Mapping[str, Any],
    standard: bool = False,
) -> dict[str, Any]:
    """Make a card without `files` and `digest`, which are added when the model is written.

    Args:
        image_size: (H, W) of the network's input.
        scheme: label scheme with `codes`, `names`, `hash` and `name`. If it is a dataclass, it is
            stored as the definition of the hash.
        points: operating points with `temperature` and `thresholds`.
        metrics, info: JSON values; numbers that are not finite become null.
        standard: whether the network sees standard pages.

    Raises:
        BundleError: if metrics or info are not plain JSON values.
    """
    own = label_fields(scheme, points)
    return seal(STUDENT, image_size, OUTPUTS, own, metrics=metrics, info=info,
                intended_use=INTENDED_USE, standard=standard)  # fmt: skip


def label_fields(scheme: Any, points: Any) -> dict[str, Any]:
    """Return the fields `labels` and `operating_points` of a card; see `make_card`."""
    labels: dict[str, Any] = {
        "scheme": getattr(scheme, "name", "columns"),
        "codes": list(scheme.codes),
        "names": list(scheme.names),
        "hash": scheme.hash,
    }
    if is_dataclass(scheme) and not isinstance(scheme, type):
        labels["definition"] = asdict(scheme)
    return {
        "labels": labels,
        "operating_points": operating_points_of(points),
    }


def operating_points_of(points: Any) -> dict[str, Any]:
    """Return operating points as they stand in a card.

    Args:
        points: `temperature` and `thresholds`, and where they have them `notes`, `policy`, and
            `slopes` and `intercepts` of per-class scaling.
    """
    found: dict[str, Any] = {
        "temperature": float(points.temperature),
        "thresholds": [float(t) for t in points.thresholds],
        "notes": list(getattr(points, "notes", ())),
    }
    if policy := getattr(points, "policy", None):
        found["policy"] = str(policy)
    if getattr(points, "slopes", ()):
        found["slopes"] = [float(s) for s in points.slopes]
        found["intercepts"] = [float(i) for i in points.intercepts]
    return found


def read_card(path: Path) -> dict[str, Any]:
    """Read and check the card of the bundle in a folder, but not the files that it lists.

    Raises:
        BundleError: if the card is missing, altered, incomplete or inconsistent, or of another kind
            or version.
    """
    card = open_card(path, STUDENT, OUTPUTS, FIELDS)
    check_labels(card, path / CARD)
    return card


def check_labels(card: dict[str, Any], file: Path) -> None:
    """Refuse a card whose labels or operating points are inconsistent.

    Raises:
        BundleError: names what is.
    """
    labels, points = card["labels"], card["operating_points"]
    codes, names = labels.get("codes"), labels.get("names")
    thresholds, temperature = points.get("thresholds"), points.get("temperature")
    count = len(codes) if isinstance(codes, list) else 0
    scaling = [points[key] for key in ("slopes", "intercepts") if key in points]
    refuse_faults(file, {
        "labels.codes must be distinct texts": not _texts(codes) or len(set(codes)) < len(codes),
        "labels.names must name each code": not _texts(names) or len(names) != count,
        "labels.hash must be a text": not isinstance(labels.get("hash"), str),
        "operating_points.thresholds must hold one number a code": not _numbers(thresholds)
        or len(thresholds) != count,
        "operating_points.temperature must be positive": not _numbers([temperature])
        or temperature <= 0,
        "operating_points.slopes and intercepts must hold one number a code":
        len(scaling) == 1 or any(not _numbers(s) or len(s) != count for s in scaling),
    })  # fmt: skip
    if "definition" in labels:
        _check_hash(labels, file)


def _check_hash(labels: dict[str, Any], file: Path) -> None:
    """Refuse a label hash that differs from the scheme's definition in the card."""
    try:
        facts: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in labels["definition"].items()
        }
        scheme = LabelScheme(**facts)
        found = scheme.hash
    except (TypeError, AttributeError, ValueError) as error:  # a LabelError is a ValueError
        raise BundleError(
            "the label scheme is damaged", file=file, value=str(error), remedy=REEXPORT
        ) from error
    if found != labels["hash"] or scheme.codes != tuple(labels["codes"]):
        raise BundleError(
            "the label hash differs from the label scheme", file=file, value=found, remedy=REEXPORT
        )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(v) in (int, float) and np.isfinite(v) for v in value
    )
