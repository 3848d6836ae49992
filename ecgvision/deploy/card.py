"""The card of a bundle, `bundle.json`: how it is made, written, read and checked.

It states the ordered labels, operating points, input contract, metrics and the sha256 of each file,
and ends with a digest over itself. Imports numpy only.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ecgvision import __version__
from ecgvision.ecg import BundleError, LabelError
from ecgvision.labels import LabelScheme

INTENDED_USE = (
    "Research. Reads a picture of a printed 12-lead ECG and names findings of the label scheme. "
    "Not a medical device: no output may decide on a person's care without a reader's own look."
)
_PACKAGES = (
    "torch",
    "timm",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "numpy",
    "opencv-python-headless",
)

OPSET = 20
"""ONNX operator set (our default: known to every ONNX Runtime since 1.17)."""
FORMAT, VERSION = "ecgvision-bundle", 1
MODEL, CARD = "model.onnx", "bundle.json"
INPUT = "image"
OUTPUTS = ("logits", "probabilities", "decisions")
FIT = "letterbox: area averaging, aspect kept, white margins (ecgvision.data.views.to_network)"
FIELDS = {
    "format": str,
    "version": int,
    "labels": dict,
    "operating_points": dict,
    "input": dict,
    "outputs": list,
    "metrics": dict,
    "files": dict,
    "versions": dict,
    "intended_use": str,
    "digest": str,
}
"""What `bundle.json` must hold, with types. Further fields are kept and ignored."""

AGAIN = "Export the bundle again, or copy it again as a whole"


def digest(card: Mapping[str, Any]) -> str:
    """sha256 over all of a card but its own digest, in canonical JSON."""
    content = {key: value for key, value in card.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def model_notes(card: Mapping[str, Any]) -> dict[str, str]:
    """What the model file repeats of its card, so that the two cannot be mixed up."""
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
) -> dict[str, Any]:
    """A card without `files` and `digest`, which follow when the model is written.

    Args:
        image_size: (H, W) of the network's input.
        scheme: `codes`, `names`, `hash` and `name`; a dataclass is kept as the hash's definition.
        points: `temperature` and `thresholds`.
        metrics, info: JSON values; a figure that is not finite becomes null.

    Raises:
        BundleError: if metrics or info hold what JSON cannot.
    """
    labels: dict[str, Any] = {
        "scheme": getattr(scheme, "name", "columns"),
        "codes": list(scheme.codes),
        "names": list(scheme.names),
        "hash": scheme.hash,
    }
    if is_dataclass(scheme) and not isinstance(scheme, type):
        labels["definition"] = asdict(scheme)
    height, width = image_size
    card = {
        "format": FORMAT,
        "version": VERSION,
        "labels": labels,
        "operating_points": {
            "temperature": float(points.temperature),
            "thresholds": [float(t) for t in points.thresholds],
            "notes": list(getattr(points, "notes", ())),
        },
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "layout": "NCHW",
            "channels": "RGB",
            "size": [int(height), int(width)],
            "fit": FIT,
        },
        "outputs": list(OUTPUTS),
        "metrics": dict(metrics),
        "info": dict(info),
        "intended_use": INTENDED_USE,
        "versions": versions(),
    }
    try:  # through JSON once, so that the digest is of what a reader will load
        return json.loads(json.dumps(_finite(card), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BundleError(
            "metrics and info must be plain JSON values", value=str(error), remedy="Convert them"
        ) from error


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value


def versions() -> dict[str, str]:
    """Of all that a bundle was made with, where installed."""
    found = {"ecgvision": __version__, "python": platform.python_version(), "opset": str(OPSET)}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write `bundle.json` with its digest, which is set in `card` too."""
    card["digest"] = digest(card)
    (folder / CARD).write_text(json.dumps(card, indent=2, allow_nan=False) + "\n")


def read_card(path: Path) -> dict[str, Any]:
    """Read and check the card of the bundle in a folder, not yet the files it names.

    Raises:
        BundleError: if it is missing, altered, incomplete, inconsistent or of another version.
    """
    file = path / CARD
    if not path.is_dir():
        raise BundleError("no such bundle folder", file=path, remedy="Give the folder of a bundle")
    try:
        card = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise BundleError("the bundle has no card", file=file, remedy=AGAIN) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError("cannot be read", file=file, value=str(error), remedy=AGAIN) from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise BundleError(f"not the card of an {FORMAT}", file=file, remedy=AGAIN)
    if card.get("version") != VERSION:
        raise BundleError(
            f"this version of ecgvision reads bundle version {VERSION}",
            file=file,
            value=card.get("version"),
            remedy="Install the ecgvision that wrote the bundle, or export it again",
        )
    for field, kind in FIELDS.items():
        if not isinstance(card.get(field), kind):
            raise BundleError(f"the card lacks {field!r}", file=file, remedy=AGAIN)
    if digest(card) != card["digest"]:
        raise BundleError(
            "the card was altered after export", file=file, value=card["digest"], remedy=AGAIN
        )
    _check_card(card, file)
    return card


def _check_card(card: dict[str, Any], file: Path) -> None:
    """The card's parts fit one another: guards against a faulty writer, not only damage."""
    labels, points, size = card["labels"], card["operating_points"], card["input"].get("size")
    codes, names = labels.get("codes"), labels.get("names")
    thresholds, temperature = points.get("thresholds"), points.get("temperature")
    faults = {
        "labels.codes must be distinct texts": not _texts(codes) or len(set(codes)) < len(codes),
        "labels.names must name each code": not _texts(names) or len(names) != len(codes or ()),
        "labels.hash must be a text": not isinstance(labels.get("hash"), str),
        "operating_points.thresholds must hold one number a code": not _numbers(thresholds)
        or len(thresholds) != len(codes or ()),
        "operating_points.temperature must be positive": not _numbers([temperature])
        or temperature <= 0,
        "input.size must be [height, width]": not isinstance(size, list)
        or len(size) != 2
        or not all(type(side) is int and side > 0 for side in size),
        f"outputs must be {list(OUTPUTS)}": card["outputs"] != list(OUTPUTS),
        f"files must name {MODEL}": MODEL not in card["files"],
    }
    for fault, present in faults.items():
        if present:
            raise BundleError(fault, file=file, remedy=AGAIN)
    if "definition" in labels:
        _check_labels(labels, file)


def _check_labels(labels: dict[str, Any], file: Path) -> None:
    """The label hash is computed anew from the scheme's definition in the card."""
    facts: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in labels["definition"].items()
    }
    try:
        scheme = LabelScheme(**facts)
        found = scheme.hash
    except (TypeError, LabelError) as error:
        raise BundleError(
            "the label scheme is damaged", file=file, value=str(error), remedy=AGAIN
        ) from error
    if found != labels["hash"] or scheme.codes != tuple(labels["codes"]):
        raise BundleError(
            "the label hash differs from the label scheme", file=file, value=found, remedy=AGAIN
        )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(v) in (int, float) and np.isfinite(v) for v in value
    )
