"""A reader bundle: a folder with `model.onnx` and `bundle.json`, verified when it is opened.

Imports numpy and ONNX Runtime only; see `bundle` for the verification.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import BundleError
from ecgvision.deploy.bundle import answers, load_model, read_files
from ecgvision.deploy.card_file import INPUT, MODEL, REEXPORT
from ecgvision.deploy.reader_card import OUTPUTS, read_reader_card, reader_notes


class Reading(NamedTuple):
    """Output of a reader for a batch of pages, with T samples of each lead.

    Attributes:
        signal: (B, 12, T) mV.
        scale: (B, 12, T) mV, the expected mean absolute error.
        presence: (B, 12, T), the probability that the sample was printed.
        trace: (B, 12, T, 2), position of the ink, x and y as fractions of the network's image.
        gain: (B, G), the probabilities of the bundle's `gains`.
    """

    signal: NDArray[np.float32]
    scale: NDArray[np.float32]
    presence: NDArray[np.float32]
    trace: NDArray[np.float32]
    gain: NDArray[np.float32]


class ReaderBundle:
    """A verified reader; create it with `ReaderBundle.open`.

    Attributes:
        folder: folder of the bundle.
        card: content of `bundle.json`.
        image_size: (H, W) of the network's input.
        rate: sampling rate of the output in Hz.
        samples: samples T of each lead.
        gains: values of the classes of `gain`, relative to 10 mm/mV at 25 mm/s.
        calibration: calibration of confidences; see `confidence.calibrated`.
        least_confidence: confidence below which a page counts as unreadable.
        id: first 16 hex digits of the card's digest, which covers the model's sha256.
    """

    def __init__(self, folder: Path, card: dict[str, Any], session: Any) -> None:
        self.folder, self.card, self._session = folder, card, session
        height, width = card["input"]["size"]
        self.image_size: tuple[int, int] = (height, width)
        self.rate, self.samples = float(card["rate"]), int(card["samples"])
        self.gains: tuple[float, ...] = tuple(card["gains"])
        self.calibration: tuple[float, ...] = tuple(card["calibration"])
        self.least_confidence = float(card["least_confidence"])
        self.id: str = card["digest"][:16]

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, threads: int = 0) -> ReaderBundle:
        """Verify and load a reader.

        Args:
            folder: folder of the bundle.
            threads: ONNX Runtime threads within an operator; 0 for one per physical core.

        Raises:
            BundleError: if a file is missing or altered; if the card is incomplete, of another kind
                or version, or contradicts the model; or if the model cannot be loaded.
        """
        path = Path(folder)
        card = read_reader_card(path)
        session = load_model(read_files(path, card), threads, path / MODEL)
        notes = session.get_modelmeta().custom_metadata_map
        inputs = session.get_inputs()
        outputs = [value.name for value in session.get_outputs()]
        if any(notes.get(key) != value for key, value in reader_notes(card).items()) or (
            [value.name for value in inputs] != [INPUT]
            or inputs[0].type != "tensor(uint8)"
            or inputs[0].shape[1:] != [3, *card["input"]["size"]]
            or outputs != list(OUTPUTS)
        ):
            raise BundleError("model and card disagree", file=path, value=outputs, remedy=REEXPORT)
        return cls(path, card, session)

    def run(self, batch: NDArray[np.uint8]) -> Reading:
        """Read a batch of pages.

        Args:
            batch: (B, 3, H, W) uint8 RGB, each page from `ecgvision.data.network_input.to_network`.

        Raises:
            BundleError: if the batch has another shape or type than the bundle's input, or an
                output has another shape than the card states.
        """
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (3, *self.image_size):
            raise BundleError(
                f"the model takes (B, 3, {self.image_size[0]}, {self.image_size[1]}) uint8",
                file=self.folder, value=(batch.shape, str(batch.dtype)),
            )  # fmt: skip
        values = answers(self._session, OUTPUTS, {INPUT: batch})
        reading = Reading(*(np.asarray(value, np.float32) for value in values))
        if reading.signal.shape != (len(batch), len(LEADS), self.samples) or (
            reading.gain.shape != (len(batch), len(self.gains))
        ):
            raise BundleError(
                "the model answers in another shape than its card says",
                file=self.folder,
                value=reading.signal.shape,
                remedy=REEXPORT,
            )
        return reading
