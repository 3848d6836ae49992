"""Prediction of labels of a record, or of a page that a reader reads first.

Behind a reader stand networks of signals, and students that see standard pages. Base install only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError, RecordError, UnreadablePageError
from ecgvision.data.network_input import to_network
from ecgvision.data.standard_page import standard_page
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.digitize import Digitised, PageLayout
from ecgvision.deploy.open_bundle import AnyReader, AnyStudent, open_reader
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.records.dicom_format import is_waveform
from ecgvision.records.option_names import API, OptionNames
from ecgvision.records.reading import read_record
from ecgvision.shipped import NAME, resolve_bundle

RECORD_SUFFIXES = (".hea", ".dat", ".mat", ".csv", ".npy")

LEAST_CONFIDENCE = 0.3
"""Confidence of a lead below which the network does not see it; our default: a lead that
the reader expects to be less than a third right says more about the reader than about the heart."""

LEAST_LEADS = 6
"""Leads, of those that the network uses, of which at least a second must be seen, or all if it uses
fewer; our default: half of a standard page."""


@dataclass(frozen=True)
class Seen:
    """What a network was shown of a record, or of a page behind a reader.

    Attributes:
        seconds: of each lead, in the order of `LEADS`.
        confidence: of each lead; None of a record.
        page: confidence of the page; None of a record.
        layout: of the page; None of a record, or if the reader does not tell.
        notes: what was corrected in a record.
    """

    seconds: tuple[float, ...]
    confidence: tuple[float, ...] | None = None
    page: float | None = None
    layout: PageLayout | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values: leads with seconds and, of a page, confidence."""
        leads: dict[str, dict[str, float]] = {
            lead: {"seconds": round(seconds, 2)}
            for lead, seconds in zip(LEADS, self.seconds, strict=True)
        }
        values: dict[str, Any] = {"leads": leads}
        if self.confidence is not None and self.page is not None:
            for lead, value in zip(LEADS, self.confidence, strict=True):
                leads[lead]["confidence"] = round(value, 3)
            values["confidence"] = round(self.page, 3)
        if self.layout is not None:
            values["layout"] = {"name": self.layout.name,
                              "probability": round(self.layout.probability, 3),
                              "assumed": self.layout.assumed}  # fmt: skip
        return values | ({"notes": list(self.notes)} if self.notes else {})

    def __str__(self) -> str:
        there = [lead for lead, seconds in zip(LEADS, self.seconds, strict=True) if seconds > 0]
        parts = [f"{len(there)} leads, {sum(self.seconds):.0f} lead-seconds"]
        missing = [lead for lead in LEADS if lead not in there]
        if missing:
            parts.append("without " + ", ".join(missing))
        if self.layout is not None:
            parts.append(f"layout {self.layout.name}" + (" (assumed)" * self.layout.assumed))
        if self.page is not None:
            parts.append(f"confidence {self.page:.2f}")
        return "; ".join(parts)


Answers = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]
"""Logits, probabilities and decisions of one record, each (C,)."""


def is_record(path: str | os.PathLike[str]) -> bool:
    """Whether a path names a record rather than a picture: by its suffix, a header beside it, or as
    a DICOM waveform."""
    path = Path(path)
    return bool(
        path.suffix.lower() in RECORD_SUFFIXES
        or (path.name and not path.suffix and path.with_name(path.name + ".hea").is_file())
        or is_waveform(path)
    )


def reader_for(
    bundle: AnyStudent, files: Iterable[str | os.PathLike[str]], *, check: bool = False,
    threads: int = 0,
) -> AnyReader | None:  # fmt: skip
    """Return the package's page reader where these files need it, else None.

    Pictures need it for a network of signals and for a student that sees standard pages.

    Args:
        check: whether it looks first in any case; see `predict.predict_file`.
        threads: of ONNX Runtime.

    Raises:
        BundleError: as `open_reader`.
    """
    needed = bundle.needs_reader and not all(is_record(file) for file in files)
    return open_reader(resolve_bundle(NAME), threads=threads) if needed or check else None


def predict_record(
    bundle: SignalBundle, path: str | Path, *, rate: float | None = None, unit: str | None = None,
    orientation: str | None = None, options: OptionNames = API,
) -> tuple[Answers, Seen]:  # fmt: skip
    """Predict the labels of the first seconds of a record.

    Args:
        path, rate, unit, orientation, options: as for `read_record`.

    Raises:
        RecordError: if the record cannot be read, or too little of it is there.
    """
    ecg = read_record(path, rate=rate, unit=unit, orientation=orientation, options=options)
    signal, observed = bundle.window(ecg.signal, ecg.rate)
    few = _too_little(bundle, observed)
    if few is not None:
        raise RecordError(f"too little of the record is there: {few}", file=path)
    return _run(bundle, signal, observed), Seen(
        _seconds(bundle, observed), notes=tuple(str(note) for note in ecg.notes)
    )


def predict_digitised(
    bundle: AnyStudent, read: Digitised, page: NDArray[np.uint8], file: str
) -> tuple[Answers, Seen]:
    """Predict the labels of a picture of a page, by what a reader read of it.

    The network sees the leads that were found with a confidence of at least `LEAST_CONFIDENCE`,
    where they are printed.

    Args:
        bundle: a network of signals, or a student that sees standard pages.
        page: (H, W, 3) uint8 RGB that was read.
        file: name of the picture, for messages.

    Raises:
        ConfigError: if the reader does not say where it found the leads, and the student asks.
        UnreadablePageError: if too little of the page can be read.
    """
    sure = np.asarray(read.confidence) >= LEAST_CONFIDENCE
    few = None if sure.any() else "no lead was read with confidence"
    if few is None and isinstance(bundle, SignalBundle):
        signal, observed = bundle.window(shown_signal(read), read.ecg.rate)
        seconds, few = _seconds(bundle, observed), _too_little(bundle, observed)
    elif few is None:
        seconds = tuple(((read.found & sure[:, None]).sum(1) / read.ecg.rate).tolist())
        few = _too_few(sum(value >= 1 for value in seconds), LEAST_LEADS)
    if few is not None:
        raise UnreadablePageError(
            f"not enough of the page can be read for a diagnosis: {few}", file=file,
            value=", ".join(lead for lead, yes in zip(LEADS, sure, strict=True) if yes) or "none",
            remedy="Take a sharper picture of the whole page",
        )  # fmt: skip
    answer = (_run(bundle, signal, observed) if isinstance(bundle, SignalBundle)
              else look(bundle, as_standard_page(bundle, read, page, file)))  # fmt: skip
    return answer, Seen(seconds, read.confidence, read.page, read.layout)


def as_standard_page(
    bundle: Bundle, read: Digitised, page: NDArray[np.uint8], file: str
) -> NDArray[np.uint8]:
    """Return the standard page of what was read with confidence, (H, W, 3) uint8 RGB.

    Raises:
        ConfigError: if the reader does not say where it found the leads.
    """
    if not read.leads:
        raise ConfigError("this student needs a reader that says where leads are printed",
                          file=file, remedy="Give the package's page reader")  # fmt: skip
    sure = {lead for lead, value in zip(LEADS, read.confidence, strict=True)
            if value >= LEAST_CONFIDENCE}  # fmt: skip
    leads = [lead for lead in read.leads if lead.lead in sure]
    return standard_page(page, leads, bundle.image_size)


def look(bundle: Bundle, page: NDArray[np.uint8]) -> Answers:
    """Return what a student answers to (H, W, 3) uint8 RGB, a page as it is or a standard one."""
    small = to_network(page, bundle.image_size)
    logits, probabilities, decisions = bundle.run(np.moveaxis(small, 2, 0)[None])
    return logits[0], probabilities[0], decisions[0]


def shown_signal(read: Digitised) -> NDArray[np.float32]:
    """Return (12, T) mV of the leads that a network sees, at the reading's rate; NaN elsewhere."""
    sure = np.asarray(read.confidence) >= LEAST_CONFIDENCE
    return np.where(sure[:, None] & read.found, read.ecg.signal, np.float32(np.nan))


def _run(bundle: SignalBundle, signal: NDArray[np.float32], observed: NDArray[np.bool_]) -> Answers:
    logits, probabilities, decisions = bundle.run(signal[None], observed[None])
    return logits[0], probabilities[0], decisions[0]


def _seconds(bundle: SignalBundle, observed: NDArray[np.bool_]) -> tuple[float, ...]:
    return tuple((observed.sum(1) / bundle.rate).tolist())


def _too_little(bundle: SignalBundle, observed: NDArray[np.bool_]) -> str | None:
    """Return what is missing, or None if enough is there; see `LEAST_LEADS`."""
    used = observed[[LEADS.index(lead) for lead in bundle.used]]
    there = int((used.sum(1) >= bundle.rate).sum())
    return _too_few(there, min(LEAST_LEADS, len(bundle.used)))


def _too_few(there: int, least: int) -> str | None:
    if there >= least:
        return None
    return f"a second or more of {there} leads, and the network asks for {least}"
