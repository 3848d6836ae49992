"""A bundle that predicts labels of a signal: of a record, or of what a reader read off a page.

A folder with `model.onnx` and `bundle.json`; see `bundle` for the verification. Imports numpy and
ONNX Runtime only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import BundleError, RecordError
from ecgvision.data.resample import resample_shown
from ecgvision.deploy.bundle import (
    LabelBundle,
    answers,
    check_label_hash,
    check_notes,
    load_model,
    read_files,
)
from ecgvision.deploy.card import FIELDS, OUTPUTS, check_labels, label_fields
from ecgvision.deploy.card_file import (
    CARD,
    MODEL,
    ONE_MODEL,
    REEXPORT,
    SIGNAL,
    make_card,
    read_common,
    refuse_faults,
)

INPUTS = {"signal": "tensor(float)", "observed": "tensor(bool)"}
"""Names of the model's inputs, and their types."""

MAX_SAMPLES = 1_000_000
"""Most samples of a lead that a card may ask for; our default."""

INTENDED_USE = (
    "Research. Takes a 12-lead ECG, or the leads that a reader found on a printed page, and names "
    "findings of the label scheme. Not a medical device: no output may decide on a person's care "
    "without a reader's own look."
)


def make_signal_card(
    *, rate: float, samples: int, leads: tuple[str, ...], scheme: Any, points: Any,
    metrics: Mapping[str, Any], info: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Make a card without `files` and `digest`.

    Args:
        rate, samples: Hz and number of samples of a lead in the network's input.
        leads: that the network uses.
        Others: see `card.make_card`.

    Raises:
        BundleError: if metrics or info are not plain JSON values.
    """
    given = {"names": list(INPUTS), "unit": "mV", "rate": float(rate), "samples": int(samples),
             "leads": list(LEADS), "used": list(leads)}  # fmt: skip
    own = {**label_fields(scheme, points), "input": given, "outputs": list(OUTPUTS)}
    return make_card(SIGNAL, own, metrics=metrics, info=info, intended_use=INTENDED_USE)


class SignalBundle(LabelBundle):
    """A verified and loaded network of signals; create it with `SignalBundle.open`.

    Attributes:
        rate: of the network's input in Hz.
        samples: of each lead.
        used: names of the leads that the network uses.
        Others: see `LabelBundle`.
    """

    def __init__(self, folder: Path, card: dict[str, Any], session: Any) -> None:
        super().__init__(folder, card, session)
        given = card["input"]
        self.rate, self.samples = float(given["rate"]), int(given["samples"])
        self.used: tuple[str, ...] = tuple(given["used"])

    needs_reader = True
    """Whether pictures must be read before this bundle can answer."""

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.samples / self.rate

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str], *, threads: int = 0, label_hash: str | None = None
    ) -> SignalBundle:
        """Verify a bundle and load its model; for arguments and errors see `Bundle.open`."""
        path = Path(folder)
        card = read_common(path, SIGNAL, {**ONE_MODEL, **FIELDS})
        _check_input(card, path / CARD)
        check_labels(card, path / CARD)
        check_label_hash(card, label_hash, path / CARD)
        session = load_model(read_files(path, card), threads, path / MODEL)
        check_notes(session, card, path / MODEL)
        given = {value.name: value.type for value in session.get_inputs()}
        told = [value.name for value in session.get_outputs()]
        shapes = [value.shape[1:] for value in session.get_inputs()]
        wanted = [len(LEADS), card["input"]["samples"]]
        if given != INPUTS or told != list(OUTPUTS) or any(shape != wanted for shape in shapes):
            raise BundleError("model and card disagree on inputs or outputs", file=path / MODEL,
                              value=(given, shapes, told), remedy=REEXPORT)  # fmt: skip
        return cls(path, card, session)

    def run(
        self, signal: NDArray[np.float32], observed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Predict the labels of a batch of signals.

        Args:
            signal: (B, 12, `samples`) mV at `rate`, leads in the order of `LEADS`; any finite value
                where not observed.
            observed: (B, 12, `samples`).

        Returns:
            logits, probabilities (float32) and decisions (bool), each (B, C).

        Raises:
            BundleError: if the batch has another shape than the network's input.
        """
        wanted = (len(LEADS), self.samples)
        if signal.shape != observed.shape or signal.ndim != 3 or signal.shape[1:] != wanted:
            raise BundleError(
                f"the model takes (B, {wanted[0]}, {wanted[1]}) signals and masks",
                file=self.folder, value=(signal.shape, observed.shape),
                remedy="Bring each record to the network's input with SignalBundle.window",
            )  # fmt: skip
        batch = {"signal": np.ascontiguousarray(signal, np.float32),
                 "observed": np.ascontiguousarray(observed, np.bool_)}  # fmt: skip
        logits, probabilities, decisions = answers(self._session, OUTPUTS, batch)
        return logits, probabilities, decisions.astype(np.bool_)

    def window(
        self, signal: NDArray[np.float32], rate: float
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Bring the first seconds of a record to the network's input.

        Args:
            signal: (12, T) mV, NaN where missing.
            rate: Hz.

        Returns:
            (12, `samples`) mV, 0 where missing; and bool, where it is not.

        Raises:
            ConfigError: if the two rates are not in a simple ratio.
            RecordError: if no sample of a lead that the network uses is there.
        """
        first = signal[:, : round(self.seconds * rate)]
        there = np.isfinite(first)

        def shown(length: int, at: float) -> NDArray[np.bool_]:
            if (length, at) == (first.shape[1], rate):
                return there
            place = np.minimum(np.round(np.arange(length) * rate / at).astype(int),
                               first.shape[1] - 1)  # fmt: skip
            return there[:, place]

        value, observed = resample_shown(first, rate, self.rate, self.samples, shown)
        if not observed[[LEADS.index(lead) for lead in self.used]].any():
            raise RecordError("no sample of a lead that the network uses",
                              value=", ".join(self.used))  # fmt: skip
        return np.where(observed, value, np.float32(0)), observed


def _check_input(card: dict[str, Any], file: Path) -> None:
    given = card["input"]
    used = given.get("used")
    refuse_faults(file, {
        f"input.names must be {list(INPUTS)}": given.get("names") != list(INPUTS),
        f"input.leads must be {list(LEADS)}": given.get("leads") != list(LEADS),
        "input.used must name leads": not isinstance(used, list) or not used
        or any(lead not in LEADS for lead in used),
        "input.rate must be a positive number": not isinstance(given.get("rate"), float)
        or not 0 < given["rate"] < 1e5,
        "input.samples must be a whole number from 1 on": type(given.get("samples")) is not int
        or not 0 < given["samples"] <= MAX_SAMPLES,
        f"outputs must be {list(OUTPUTS)}": card["outputs"] != list(OUTPUTS),
        f"files must name {MODEL}": MODEL not in card["files"],
    })  # fmt: skip
