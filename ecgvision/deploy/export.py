"""From a trained PyTorch student to a bundle: ONNX, a card, and proof that the two agree.

The graph takes uint8 pages and holds normalisation, temperature and thresholds, so what is
deployed is what was evaluated. Needs the training stack; reading a bundle does not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.errors import BundleError
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.card import OUTPUTS, make_card, model_notes
from ecgvision.deploy.card_file import write_card
from ecgvision.deploy.graph import write_model

TOLERANCE = 1e-4
"""Largest difference from PyTorch in a logit or probability."""

READ_TOLERANCE = 1e-3
"""The same for a student behind a page reader, where a place on the page that differs by a ten-
thousandth of a pixel is read at a slightly other height; our default."""


def export_bundle(
    student: nn.Module,
    folder: str | os.PathLike[str],
    *,
    scheme: Any,
    points: Any,
    metrics: Mapping[str, Any],
    check_images: NDArray[np.uint8],
    info: Mapping[str, Any],
    tolerance: float = TOLERANCE,
    batched: bool = True,
) -> dict[str, Any]:
    """Write a bundle and check it against the student; all of it appears, or none.

    Args:
        student: `forward(image)` takes (B, 3, H, W) uint8 and gives logits, probabilities and
            decisions, each (B, C); it has `image_size`, `temperature` and `thresholds`.
        folder: the bundle; one that stands there is replaced.
        scheme: `codes`, `names`, `hash` and `name` of the labels.
        points: the operating points (`temperature`, `thresholds`) that the student carries.
        metrics: test metrics with intervals, for the card.
        check_images: (N, 3, H, W) uint8 pages on which both must give the same answer.
        info: further facts for the card (experiment, data, renderer, ...).
        tolerance: that the graph's answers must stay below.
        batched: whether the graph takes any number of pages at once, or one.

    Returns:
        The card, as written to `bundle.json`.

    Raises:
        BundleError: if student, scheme and points do not fit, or ONNX and PyTorch differ by
            `tolerance` or more; its message holds the largest difference.
    """
    target = Path(folder)
    _check_arguments(student, scheme, points, check_images, target)
    card = make_card(
        student.image_size,  # type: ignore[arg-type]
        scheme=scheme,
        points=points,
        metrics=metrics,
        info=info,
    )
    with atomic_folder(target) as made:
        write_model(student, made, OUTPUTS, card, model_notes(card), batched=batched)
        card["check"] = compare(
            student, Bundle.open(made), check_images, file=target, tolerance=tolerance
        )
        write_card(made, card)
    return card


def compare(
    student: nn.Module, bundle: Bundle, images: NDArray[np.uint8], *, file: Path, batch: int = 16,
    tolerance: float = TOLERANCE,
) -> dict[str, Any]:  # fmt: skip
    """Hold a bundle's answers against the student's.

    Args:
        student: the PyTorch module.
        bundle: the opened bundle.
        images: (N, 3, H, W) uint8.
        file: the bundle's name in messages.
        batch: pages at a time.
        tolerance: of a difference.

    Returns:
        `images` (count), `tolerance`, and the largest absolute difference in `logits` and
        `probabilities`.

    Raises:
        BundleError: if a difference reaches `tolerance`, an answer is not finite, or a decision
            differs further than that from its threshold.
    """
    device = next(iter(student.parameters())).device
    worst = {"logits": 0.0, "probabilities": 0.0}
    was_training = student.training
    student.eval()
    try:
        for start in range(0, len(images), batch):
            pages = images[start : start + batch]
            with torch.inference_mode():
                answer = student(torch.from_numpy(np.ascontiguousarray(pages)).to(device))
            wanted = [value.cpu().numpy() for value in answer]
            found = bundle.run(pages)
            for name, a, b in zip(worst, wanted, found, strict=False):
                gap = float(np.abs(a.astype(np.float64) - b).max())
                worst[name] = gap if not gap <= worst[name] else worst[name]  # NaN is kept
            far = np.abs(wanted[1] - np.asarray(bundle.thresholds)) >= tolerance
            if (far & (wanted[2].astype(bool) != found[2])).any():
                raise BundleError("ONNX Runtime and PyTorch decide differently", file=file)
    finally:
        student.train(was_training)
    if not max(worst.values()) < tolerance or any(np.isnan(v) for v in worst.values()):
        raise BundleError(
            f"ONNX Runtime and PyTorch differ by {tolerance} or more",
            file=file,
            value=worst,
            remedy="An operator of the model is exported wrongly; choose another image encoder",
        )
    return {"images": len(images), "tolerance": tolerance, "largest_difference": worst}


def _check_arguments(
    student: nn.Module, scheme: Any, points: Any, images: NDArray[np.uint8], target: Path
) -> None:
    height, width = (int(side) for side in student.image_size)  # type: ignore[union-attr]
    if images.dtype != np.uint8 or images.shape[1:] != (3, height, width) or not len(images):
        raise BundleError(
            f"check_images must be (N, 3, {height}, {width}) uint8 with N of at least 1",
            file=target,
            value=(images.shape, str(images.dtype)),
        )
    if len(points.thresholds) != len(scheme.codes):
        raise BundleError(
            f"{len(scheme.codes)} labels need as many thresholds",
            file=target,
            value=len(points.thresholds),
        )
    for name in ("temperature", "thresholds"):
        carried = np.asarray(getattr(student, name).detach().cpu(), np.float32)
        if not np.array_equal(carried, np.asarray(getattr(points, name), np.float32)):
            raise BundleError(
                f"the student carries another {name} than the operating points",
                file=target,
                value=carried.tolist(),
                remedy="Build the student from these operating points",
            )
