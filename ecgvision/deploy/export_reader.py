"""From a trained reader to its bundle: ONNX, a card, and proof that the two agree.

Needs the training stack; reading the bundle does not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.errors import BundleError
from ecgvision.deploy.card_file import write_card
from ecgvision.deploy.graph import write_model
from ecgvision.deploy.reader_bundle import ReaderBundle
from ecgvision.deploy.reader_card import OUTPUTS, make_reader_card, reader_notes
from ecgvision.reader.deployed import DeployedReader
from ecgvision.reader.networks.dense_head import RELATIVE_GAINS

TOLERANCE = 2e-3
"""Largest difference from PyTorch in mV (0.02 mm of paper), in probability and in fractions of the
page; our default. It grows with what the reader itself expects to be wrong by, twofold at 0.1 mV,
because where there is no ink the last digits of a sum decide."""


def export_reader(
    reader: DeployedReader, folder: str | os.PathLike[str], *, rate: float,
    calibration: Sequence[float], least_confidence: float, metrics: Mapping[str, Any],
    check_images: NDArray[np.uint8], info: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Write a reader's bundle and check it against the reader; all of it appears, or none.

    Args:
        reader: in evaluation mode.
        folder: the bundle; one that stands there is replaced.
        rate: Hz of what is read.
        calibration, least_confidence: see `make_reader_card`.
        metrics: of the test pages, for the card.
        check_images: (N, 3, H, W) uint8 pages on which both must answer alike.
        info: further facts for the card.

    Returns:
        The card, as written.

    Raises:
        BundleError: if pages are none, or ONNX Runtime and PyTorch differ by `TOLERANCE` or more.
    """
    height, width = reader.image_size
    target = Path(folder)
    if (
        check_images.dtype != np.uint8
        or check_images.shape[1:] != (3, height, width)
        or not len(check_images)
    ):
        raise BundleError(
            f"check_images must be (N, 3, {height}, {width}) uint8, N at least 1",
            file=target,
            value=(check_images.shape, str(check_images.dtype)),
        )
    samples = reader.reader.length
    card = make_reader_card(reader.image_size, rate=rate, samples=samples, metrics=metrics,
                            gains=RELATIVE_GAINS, calibration=calibration,
                            least_confidence=least_confidence, info=info)  # fmt: skip
    with atomic_folder(target) as made:
        write_model(reader, made, OUTPUTS, card, reader_notes(card), batched=False)
        card["check"] = compare(reader, ReaderBundle.open(made), check_images, file=target)
        write_card(made, card)
    return card


def compare(
    reader: DeployedReader, bundle: ReaderBundle, images: NDArray[np.uint8], *, file: Path,
    batch: int = 4,
) -> dict[str, Any]:  # fmt: skip
    """Hold a bundle's answers against the reader's.

    Returns:
        `images` (count), `tolerance`, and of each output the largest difference found.

    Raises:
        BundleError: if a difference reaches what is tolerated, or an answer is not finite.
    """
    device = next(iter(reader.parameters())).device
    worst = dict.fromkeys(OUTPUTS, 0.0)
    was_training = reader.training
    reader.eval()
    try:
        for start in range(0, len(images), batch):
            pages = np.ascontiguousarray(images[start : start + batch])
            with torch.inference_mode():
                answer = reader(torch.from_numpy(pages).to(device))
            wanted = [value.cpu().numpy().astype(np.float64) for value in answer]
            slack = 1 + 10 * wanted[1]  # of the scale in mV
            for name, a, b in zip(OUTPUTS, wanted, bundle.run(pages), strict=True):
                allowed = {2: np.ones(1), 3: slack, 4: slack[..., None]}[a.ndim]
                gap = float((np.abs(a - b) / allowed).max())
                worst[name] = gap if not gap <= worst[name] else worst[name]  # NaN is kept
    finally:
        reader.train(was_training)
    if not max(worst.values()) < TOLERANCE or any(np.isnan(v) for v in worst.values()):
        raise BundleError(f"ONNX Runtime and PyTorch differ by {TOLERANCE} or more", file=file,
                          value=worst, remedy="Choose another model.image_encoder")  # fmt: skip
    return {"images": len(images), "tolerance": TOLERANCE, "largest_difference": worst}
