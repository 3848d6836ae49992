"""A bundle of the page reader in paper coordinates: two networks and their card.

`marks.onnx` sees rows, names and pulses of a flat page, `trace.onnx` follows the traces. Imports
numpy, OpenCV and ONNX Runtime only; see `bundle` for the verification.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import BundleError
from ecgvision.deploy.bundle import load_model, read_contents
from ecgvision.deploy.card_file import (
    CARD,
    FLAT_READER,
    INPUT,
    REEXPORT,
    make_card,
    read_common,
    refuse_faults,
)
from ecgvision.reader.flat_reader import RATE, SECONDS, FlatReading, read_picture
from ecgvision.reader.layout import maps
from ecgvision.reader.layout.maps import MARKS, PageMaps
from ecgvision.reader.trace import strips

MARKS_MODEL, TRACE_MODEL = "marks.onnx", "trace.onnx"
OUTPUTS = {MARKS_MODEL: PageMaps._fields, TRACE_MODEL: ("height", "printed")}
"""Files of the two networks, and the names of their outputs."""

SCALES = {MARKS_MODEL: [maps.PX_PER_MM, maps.PX_PER_MM],
          TRACE_MODEL: [strips.PX_PER_MM, strips.COLUMNS_PER_MM]}  # fmt: skip
"""Pixels per millimetre of paper, down and across, that the networks are made for."""

INTENDED_USE = (
    "Research. Reads the waveforms of a picture of a printed 12-lead ECG. Not a medical device: "
    "what was read is to be held against the page before anything is concluded from it."
)
FIELDS = {"leads": list, "marks": list, "rate": float, "samples": int, "scales": dict,
          "calibration": list, "least_confidence": float}  # fmt: skip


def make_flat_card(
    *, calibration: Sequence[float], least_confidence: float, metrics: Mapping[str, Any],
    info: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Make a card without `files` and `digest`; for the arguments see `make_reader_card`."""
    return make_card(FLAT_READER, {
        "leads": list(LEADS), "marks": list(MARKS), "rate": RATE, "samples": round(RATE * SECONDS),
        "scales": dict(SCALES), "calibration": [float(v) for v in calibration],
        "least_confidence": float(least_confidence),
    }, metrics=metrics, info=info, intended_use=INTENDED_USE)  # fmt: skip


class FlatReaderBundle:
    """A verified reader; create it with `FlatReaderBundle.open`.

    Attributes:
        folder: folder of the bundle.
        card: content of `bundle.json`.
        rate: sampling rate of the output in Hz.
        samples: samples of each lead.
        calibration: of confidences; see `confidence.calibrated`.
        least_confidence: confidence below which a page counts as unreadable.
        id: first 16 hex digits of the card's digest, which covers the models' sha256.
    """

    def __init__(self, folder: Path, card: dict[str, Any], sessions: Mapping[str, Any]) -> None:
        self.folder, self.card, self._sessions = folder, card, sessions
        self.rate, self.samples = float(card["rate"]), int(card["samples"])
        self.calibration: tuple[float, ...] = tuple(card["calibration"])
        self.least_confidence = float(card["least_confidence"])
        self.id: str = card["digest"][:16]

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, threads: int = 0) -> FlatReaderBundle:
        """Verify and load a reader.

        Args:
            folder: folder of the bundle.
            threads: ONNX Runtime threads within an operator; 0 for one per physical core.

        Raises:
            BundleError: if a file is missing or altered; if the card is incomplete, of another kind
                or version, or contradicts the models; or if a model cannot be loaded.
        """
        path = Path(folder)
        card = read_common(path, FLAT_READER, FIELDS)
        refuse_faults(path / CARD, {
            f"leads must be {list(LEADS)}": card["leads"] != list(LEADS),
            f"marks must be {list(MARKS)}": card["marks"] != list(MARKS),
            f"scales must be {SCALES}": card["scales"] != SCALES,
            f"files must be {sorted(OUTPUTS)}": sorted(card["files"]) != sorted(OUTPUTS),
            f"rate and samples must be {RATE:g} and {RATE * SECONDS:g}":
            (card["rate"], card["samples"]) != (RATE, RATE * SECONDS),
            "calibration must be a slope and an offset": len(card["calibration"]) != 2
            or not all(isinstance(v, float) for v in card["calibration"]),
        })  # fmt: skip
        contents = read_contents(path, card)
        sessions = {}
        for name, outputs in OUTPUTS.items():
            session = load_model(contents[name], threads, path / name)
            given = [(value.name, value.type) for value in session.get_inputs()]
            answers = [value.name for value in session.get_outputs()]
            if given != [(INPUT, "tensor(uint8)")] or answers != list(outputs):
                raise BundleError("model and card disagree", file=path / name,
                                  value=(given, answers), remedy=REEXPORT)  # fmt: skip
            sessions[name] = session
        return cls(path, card, sessions)

    def read(self, picture: NDArray[np.uint8], *, gain: float | None = None) -> FlatReading:
        """Read a picture.

        Args:
            picture: (H, W, 3) uint8 RGB of any size.
            gain: mm/mV; None reads it off the page.
        """
        return read_picture(picture, self.see, self.trace, gain=gain)

    def see(self, page: NDArray[np.uint8]) -> PageMaps:
        """Return the maps of a flat page; see `flat_reader.Viewer`."""
        return PageMaps(*(np.asarray(v[0], np.float32) for v in self._run(MARKS_MODEL, page[None])))

    def trace(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the heights of rows in strips; see `strips.Tracer`."""
        height, printed = (np.asarray(v, np.float32) for v in self._run(TRACE_MODEL, batch))
        return height, printed

    def _run(self, model: str, batch: NDArray[np.uint8]) -> list[Any]:
        found: list[Any] = self._sessions[model].run(list(OUTPUTS[model]), {INPUT: batch})
        return found


def sha256(content: bytes) -> str:
    """Return the digest of a file's content as a card has it."""
    return hashlib.sha256(content).hexdigest()
