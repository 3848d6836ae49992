"""The card `bundle.json` of a bundle: common fields, writing, reading and checks.

Imports numpy only.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ecgvision import __version__
from ecgvision.core.errors import BundleError
from ecgvision.core.input_files import read_json

MODEL, CARD = "model.onnx", "bundle.json"
STUDENT, SIGNAL = "ecgvision-bundle", "ecgvision-signal"
READER, FLAT_READER = "ecgvision-reader", "ecgvision-flat-reader"
USES = {STUDENT: "ecgvision predict", SIGNAL: "ecgvision predict", READER: "ecgvision digitize",
        FLAT_READER: "ecgvision digitize"}  # fmt: skip
"""Formats of cards, and the command that reads bundles of each."""

VERSION = 1
OPSET = 20
"""ONNX operator set (our default: known to every ONNX Runtime since 1.17)."""

MAX_SIDE = 16_384
"""Largest side of a network's input in pixels (our default, as of pictures)."""

INPUT = "image"
FIT = "letterbox: area averaging, aspect kept, white margins (ecgvision.data.network_input)"
STANDARD_FIT = "standard page: 3x4+II at 25 mm/s and 10 mm/mV (ecgvision.data.standard_page)"
REEXPORT = "Export the bundle again, or copy it again as a whole"
FIELDS = {
    "format": str, "version": int, "metrics": dict, "info": dict, "files": dict, "versions": dict,
    "intended_use": str, "digest": str,
}  # fmt: skip
"""Required fields of every card, with types. Further fields are kept and ignored."""

ONE_MODEL = {"input": dict, "outputs": list}
"""Further fields of a bundle with a single model."""

_PACKAGES = ("torch", "timm", "onnx", "onnxscript", "onnxruntime", "numpy",
             "opencv-python-headless")  # fmt: skip


def seal(
    kind: str, image_size: Sequence[int], outputs: Sequence[str], own: Mapping[str, Any], *,
    metrics: Mapping[str, Any], info: Mapping[str, Any], intended_use: str,
    standard: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Make a card without `files` and `digest`, which are added when the model is written.

    Args:
        kind: format of the card.
        image_size: (H, W) of the network's input.
        outputs: names of the model's outputs.
        own: fields specific to this kind of bundle.
        metrics, info: JSON values; numbers that are not finite become null.
        intended_use: statement of the intended use.
        standard: whether the network sees standard pages; see `ecgvision.data.standard_page`.

    Raises:
        BundleError: if metrics or info are not plain JSON values.
    """
    image = {
        "name": INPUT, "dtype": "uint8", "layout": "NCHW", "channels": "RGB",
        "size": [int(side) for side in image_size], "fit": STANDARD_FIT if standard else FIT,
    }  # fmt: skip
    return make_card(kind, {**own, "input": image, "outputs": list(outputs)}, metrics=metrics,
                     info=info, intended_use=intended_use)  # fmt: skip


def make_card(
    kind: str, own: Mapping[str, Any], *, metrics: Mapping[str, Any], info: Mapping[str, Any],
    intended_use: str,
) -> dict[str, Any]:  # fmt: skip
    """Make a card of any kind, without `files` and `digest`; for the arguments see `seal`."""
    card = {
        "format": kind,
        "version": VERSION,
        **own,
        "metrics": dict(metrics),
        "info": dict(info),
        "intended_use": intended_use,
        "versions": _versions(),
    }  # fmt: skip
    try:  # a round trip through JSON, so that the digest covers what will be loaded
        return json.loads(json.dumps(_finite(card), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BundleError("metrics and info must be plain JSON values", value=str(error),
                          remedy="Convert them") from error  # fmt: skip


def digest(card: Mapping[str, Any]) -> str:
    """Return the sha256 of a card without its digest, in canonical JSON."""
    content = {key: value for key, value in card.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_contents(folder: Path, card: dict[str, Any], contents: Mapping[str, bytes]) -> None:
    """Write a bundle's files and its card, in which their sha256 and the digest are set."""
    card["files"] = {name: hashlib.sha256(content).hexdigest()
                     for name, content in contents.items()}  # fmt: skip
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    write_card(folder, card)


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write `bundle.json` with its digest, which is also set in `card`."""
    card["digest"] = digest(card)
    (folder / CARD).write_text(json.dumps(card, indent=2, allow_nan=False) + "\n")


def kind_of(path: Path) -> str | None:
    """Return the format of the card in a folder; None without a readable card of a known format."""
    try:
        card = read_json(path / CARD)
    except (OSError, ValueError):
        return None
    found = card.get("format") if isinstance(card, dict) else None
    return found if isinstance(found, str) and found in USES else None


def open_card(
    path: Path, kind: str, outputs: Sequence[str], own: Mapping[str, type]
) -> dict[str, Any]:
    """Read the card of a bundle with a single model.

    Args:
        kind: required format.
        outputs: names of the model's outputs.
        own: fields specific to this kind of bundle, with types.

    Raises:
        BundleError: as `read_common`, or for another model than the card says.
    """
    card = read_common(path, kind, {**ONE_MODEL, **own})
    size = card["input"].get("size")
    refuse_faults(path / CARD, {
        "input.size must be [height, width]": not isinstance(size, list)
        or len(size) != 2
        or not all(type(side) is int and 0 < side <= MAX_SIDE for side in size),
        f"outputs must be {list(outputs)}": card["outputs"] != list(outputs),
        f"files must name {MODEL}": MODEL not in card["files"],
    })  # fmt: skip
    return card


def read_common(path: Path, kind: str, own: Mapping[str, type]) -> dict[str, Any]:
    """Read the card in a folder and check the fields common to all cards.

    Args:
        kind: required format.
        own: fields specific to this kind of bundle, with types.

    Raises:
        BundleError: if the card is missing, altered or incomplete, or of another kind or version.
    """
    file = path / CARD
    if not path.is_dir():
        raise BundleError("no such bundle folder", file=path,
                          remedy="Give the folder `bundle` of a finished run")  # fmt: skip
    try:
        card = read_json(file, strict=True)
    except FileNotFoundError:
        raise BundleError("the bundle has no card", file=file, remedy=REEXPORT) from None
    except (OSError, ValueError) as error:
        raise BundleError("cannot be read", file=file, value=str(error), remedy=REEXPORT) from error
    found = card.get("format") if isinstance(card, dict) else None
    if found != kind:
        other = USES.get(found) if isinstance(found, str) else None
        raise BundleError(f"not the card of an {kind}", file=file, value=found,
                          remedy=f"This bundle is for {other}" if other else REEXPORT)  # fmt: skip
    if card.get("version") != VERSION:
        raise BundleError(
            f"this version of ecgvision reads bundle version {VERSION}", file=file,
            value=card.get("version"),
            remedy="Install the ecgvision that wrote the bundle, or export it again",
        )  # fmt: skip
    for field, wanted in {**FIELDS, **own}.items():
        if not isinstance(card.get(field), wanted):
            raise BundleError(f"the card lacks {field!r}", file=file, remedy=REEXPORT)
    if digest(card) != card["digest"]:
        raise BundleError("the card was altered after export", file=file, value=card["digest"],
                          remedy=REEXPORT)  # fmt: skip
    refuse_faults(file, {
        "files must give a sha256 each":
        not all(isinstance(v, str) for v in card["files"].values()),
    })  # fmt: skip
    return card


def refuse_faults(file: Path, faults: Mapping[str, bool]) -> None:
    """Refuse a card with faults, which may come from a faulty writer as well as from damage.

    Raises:
        BundleError: for the first fault that is present; names it.
    """
    for fault, present in faults.items():
        if present:
            raise BundleError(fault, file=file, remedy=REEXPORT)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value


def _versions() -> dict[str, str]:
    """Return the versions of the software that makes bundles, as far as it is installed."""
    found = {"ecgvision": __version__, "python": platform.python_version(), "opset": str(OPSET)}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
