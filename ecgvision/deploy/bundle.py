"""A student bundle: a folder with `model.onnx` and `bundle.json`, without executable code.

Opening a bundle verifies that it is complete and unaltered: every file against its sha256, the card
against its own digest, and the card against the metadata of the model file. Digests detect damage
and mix-ups; they are not a signature. Imports numpy and ONNX Runtime only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecgvision.core.errors import BundleError
from ecgvision.core.input_files import MODEL as MODEL_BYTES
from ecgvision.core.input_files import read_bytes
from ecgvision.core.processors import usable_threads
from ecgvision.deploy.card import OUTPUTS, model_notes, read_card
from ecgvision.deploy.card_file import CARD, INPUT, MODEL, REEXPORT, STANDARD_FIT


class LabelBundle:
    """What all verified and loaded bundles that predict labels have in common.

    Attributes:
        folder: folder of the bundle.
        card: content of `bundle.json`.
        codes, names: the labels in the order of the outputs.
        thresholds: one probability per label; a label is positive at or above.
        temperature: divides the logits before the sigmoid.
        label_hash: hash of the label scheme.
        id: first 16 hex digits of the card's digest, which covers the model's sha256.
    """

    def __init__(self, folder: Path, card: dict[str, Any], session: Any) -> None:
        self.folder, self.card, self._session = folder, card, session
        labels, points = card["labels"], card["operating_points"]
        self.codes: tuple[str, ...] = tuple(labels["codes"])
        self.names: tuple[str, ...] = tuple(labels["names"])
        self.label_hash: str = labels["hash"]
        self.temperature = float(points["temperature"])
        self.thresholds: tuple[float, ...] = tuple(float(t) for t in points["thresholds"])
        self.id: str = card["digest"][:16]

    @property
    def learned_from(self) -> dict[str, list[str]]:
        """Layouts and artefacts of the training pages; empty lists if the bundle lacks them."""
        found = {key: self.card["info"].get(key) for key in ("layouts", "artefacts")}
        return {
            key: [str(name) for name in value] if isinstance(value, list) else []
            for key, value in found.items()
        }

    def learned_from_text(self) -> str:
        """Return `learned_from` as one line of text."""
        named = [f"{key} {', '.join(names)}" for key, names in self.learned_from.items() if names]
        return "; ".join(named) or "not stated"


class Bundle(LabelBundle):
    """A student that looks at a picture; create it with `Bundle.open`.

    Attributes:
        image_size: (H, W) of the network's input.
        standard: whether it sees standard pages, which a page reader makes of a picture.
        Others: see `LabelBundle`.
    """

    def __init__(self, folder: Path, card: dict[str, Any], session: Any) -> None:
        super().__init__(folder, card, session)
        height, width = card["input"]["size"]
        self.image_size: tuple[int, int] = (height, width)
        self.standard = card["input"].get("fit") == STANDARD_FIT

    @property
    def needs_reader(self) -> bool:
        """Whether pictures must be read before this bundle can answer."""
        return self.standard

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str], *, threads: int = 0, label_hash: str | None = None
    ) -> Bundle:
        """Verify a bundle and load its model.

        Args:
            folder: folder of the bundle.
            threads: ONNX Runtime threads within an operator; 0 for one per physical core.
            label_hash: refuse a bundle of any other label scheme.

        Raises:
            BundleError: if a file is missing or altered; if the card is incomplete, of another
                kind, version or label scheme, or contradicts the model; or if the model cannot be
                loaded.
        """
        path = Path(folder)
        card = read_card(path)
        check_label_hash(card, label_hash, path / CARD)
        content = read_files(path, card)
        session = load_model(content, threads, path / MODEL)
        _check_model(session, card, path / MODEL)
        return cls(path, card, session)

    def run(
        self, batch: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Predict the labels of a batch of pages.

        Args:
            batch: (B, 3, H, W) uint8 RGB, each page from `ecgvision.data.network_input.to_network`,
                or from `ecgvision.data.standard_page.standard_page` if the bundle is `standard`.

        Returns:
            logits, probabilities (float32) and decisions (bool), each (B, C).

        Raises:
            BundleError: if the batch has another shape or type than the bundle's input.
        """
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (3, *self.image_size):
            raise BundleError(
                f"the model takes (B, 3, {self.image_size[0]}, {self.image_size[1]}) uint8",
                file=self.folder,
                value=(batch.shape, str(batch.dtype)),
                remedy="Bring each page to bundle.image_size with ecgvision.data.network_input",
            )
        logits, probabilities, decisions = answers(self._session, OUTPUTS, {INPUT: batch})
        return logits, probabilities, decisions.astype(np.bool_)


def check_label_hash(card: dict[str, Any], wanted: str | None, file: Path) -> None:
    """Refuse a bundle of another label scheme than the one that is asked for.

    Args:
        wanted: hash of the label scheme; None takes any.

    Raises:
        BundleError: if the two differ.
    """
    if wanted is not None and card["labels"]["hash"] != wanted:
        raise BundleError(
            "the bundle answers with another label scheme",
            file=file,
            value=card["labels"]["hash"],
            remedy=f"Use a bundle with the label hash {wanted}",
        )


def read_files(path: Path, card: dict[str, Any]) -> bytes:
    """Check every file of a bundle with one model; return the model's bytes.

    Raises:
        BundleError: as `read_contents`.
    """
    return read_contents(path, card)[MODEL]


def read_contents(path: Path, card: dict[str, Any]) -> dict[str, bytes]:
    """Check every file of a bundle; return their bytes, so that what was checked is loaded.

    Raises:
        BundleError: for a file that is missing, altered or outside the bundle's folder.
    """
    contents = {}
    for name, expected in card["files"].items():
        if Path(name).name != name:
            raise BundleError("a bundle's files lie beside its card", file=path, value=name)
        try:
            content = read_bytes(path / name, limit=MODEL_BYTES)
        except FileNotFoundError as error:
            raise BundleError(
                "a file of the bundle is missing", file=path / name, remedy=REEXPORT
            ) from error
        except (OSError, ValueError) as error:
            raise BundleError(
                "a file of the bundle cannot be read", file=path / name,
                value=str(getattr(error, "strerror", "") or error), remedy=REEXPORT,
            ) from error  # fmt: skip
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise BundleError(
                "the file differs from the one exported (sha256)",
                file=path / name,
                value=found,
                remedy=REEXPORT,
            )
        contents[name] = content
    return contents


def load_model(content: bytes, threads: int, file: Path) -> Any:
    """Create an ONNX Runtime session of a model.

    Raises:
        BundleError: if the model cannot be loaded.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_threads(threads)
    # Spinning idle threads compete with decoding the next page: 111 ms per page instead of 70.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: users cannot act on the graph's warnings
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own classes derive from Exception alone
        raise BundleError(
            "ONNX Runtime cannot load the model",
            file=file,
            value=str(error)[:200],
            remedy="Update onnxruntime, or export the bundle again",
        ) from error


def answers(
    session: Any, outputs: Sequence[str], batch: Mapping[str, NDArray[Any]]
) -> list[NDArray[Any]]:  # fmt: skip
    """Run a model on a batch; item by item if its graph takes a single one.

    Args:
        batch: each input of the model, with as many items along its first axis.
    """
    count = len(next(iter(batch.values())))
    one = session.get_inputs()[0].shape[0] == 1 and count > 0
    bounds = [(k, k + 1) for k in range(count)] if one else [(0, count)]
    told = [
        session.run(list(outputs), {name: np.ascontiguousarray(value[first:last])
                                    for name, value in batch.items()})
        for first, last in bounds
    ]  # fmt: skip
    return [np.concatenate(values) for values in zip(*told, strict=True)]


def check_notes(session: Any, card: dict[str, Any], file: Path) -> None:
    """Refuse a model whose metadata contradict its card.

    Raises:
        BundleError: names the first field that differs.
    """
    notes = session.get_modelmeta().custom_metadata_map
    for key, expected in model_notes(card).items():
        if notes.get(key) != expected:
            raise BundleError(
                f"model and card disagree on {key.removeprefix('ecgvision.')}",
                file=file,
                value=notes.get(key),
                remedy=REEXPORT,
            )


def _check_model(session: Any, card: dict[str, Any], file: Path) -> None:
    check_notes(session, card, file)
    inputs, outputs = session.get_inputs(), [value.name for value in session.get_outputs()]
    shape = inputs[0].shape[1:]
    if [value.name for value in inputs] != [INPUT] or inputs[0].type != "tensor(uint8)":
        raise BundleError(f"the model's input is not uint8 {INPUT!r}", file=file, remedy=REEXPORT)
    if shape != [3, *card["input"]["size"]] or outputs != list(OUTPUTS):
        raise BundleError(
            "model and card disagree on shapes", file=file, value=(shape, outputs), remedy=REEXPORT
        )
