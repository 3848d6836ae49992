"""Export of a trained page reader to its bundle: ONNX, a card, and proof that the two agree.

Needs the training stack; the bundle is read without it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.outputs import check_replaceable
from ecgvision.core.progress import working
from ecgvision.deploy.agreement import Answer, check_agreement, check_pages
from ecgvision.deploy.card_file import CARD, write_card
from ecgvision.deploy.graph import a_page, write_model
from ecgvision.deploy.reader_bundle import ReaderBundle
from ecgvision.deploy.reader_card import OUTPUTS, make_reader_card, reader_notes
from ecgvision.reader.deployed import DeployedReader
from ecgvision.reader.networks.dense_head import RELATIVE_GAINS

TOLERANCE = 2e-3
"""Difference from PyTorch that every output must stay below; our default.

The unit is mV (2e-3 mV are 0.02 mm of paper), probability, or the fraction of the page's width and
height. More is allowed where the reader itself expects a large error, twice as much at 0.1 mV:
where there is no ink, the last digits of a sum decide."""


def export_reader(
    reader: DeployedReader, folder: str | os.PathLike[str], *, rate: float,
    calibration: Sequence[float], least_confidence: float, metrics: Mapping[str, Any],
    check_images: NDArray[np.uint8], info: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Write a reader's bundle and compare it with the reader; it appears whole or not at all.

    Args:
        reader: in evaluation mode.
        folder: the bundle's folder; a bundle in it is replaced.
        rate: sampling rate of the waveforms, Hz.
        calibration, least_confidence: see `make_reader_card`.
        metrics: figures on the test pages, for the card.
        check_images: (N, 3, H, W) uint8 pages on which both must give the same answer.
        info: further facts for the card.

    Returns:
        The card as it is written.

    Raises:
        BundleError: if there are no pages, or a difference between ONNX Runtime and PyTorch
            reaches `TOLERANCE`.
    """
    target = Path(folder)
    check_replaceable(target, CARD, "a bundle")
    check_pages(check_images, reader.image_size, target)
    card = make_reader_card(reader.image_size, rate=rate, samples=reader.reader.length,
                            metrics=metrics, gains=RELATIVE_GAINS, calibration=calibration,
                            least_confidence=least_confidence, info=info)  # fmt: skip
    with atomic_folder(target) as made:
        write_model(reader, made, a_page(reader), OUTPUTS, card, reader_notes(card), batched=False)
        with working("comparing the export with the network"):
            card["check"] = check_agreement(
                reader, ReaderBundle.open(made), (check_images,), _differences, tolerance=TOLERANCE,
                file=target, batch=4,
            )  # fmt: skip
        write_card(made, card)
    return card


def _differences(wanted: Answer, found: Answer) -> dict[str, float]:
    """The largest difference of each output, less where the reader expects a large error."""
    slack = 1 + 10 * wanted[1].astype(np.float64)  # (B, 12, T), from the scale in mV
    allowed = {2: np.ones(1), 3: slack, 4: slack[..., None]}
    return {
        name: float((np.abs(a.astype(np.float64) - b) / allowed[a.ndim]).max())
        for name, a, b in zip(OUTPUTS, wanted, found, strict=True)
    }
