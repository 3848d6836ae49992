"""Export of a trained PyTorch student to a bundle: ONNX, a card, and proof that the two agree.

The graph takes uint8 pages and contains normalisation, temperature and thresholds, so that what is
deployed is what was evaluated. Needs the training stack; a bundle is read without it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.errors import BundleError
from ecgvision.core.outputs import check_replaceable
from ecgvision.core.progress import working
from ecgvision.deploy.agreement import Answer, check_agreement, check_pages
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.card import OUTPUTS, make_card, model_notes
from ecgvision.deploy.card_file import CARD, write_card
from ecgvision.deploy.graph import a_page, write_model

TOLERANCE = 1e-4
"""Difference from PyTorch that a logit or probability must stay below; our default."""

READ_TOLERANCE = 1e-3
"""The same for a student behind a page reader; our default.

There, a position on the page that differs by a ten-thousandth of a pixel is read at a slightly
different height."""


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
    documents: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write a bundle and compare it with the student; the bundle appears whole or not at all.

    Args:
        student: `forward(image)` takes (B, 3, H, W) uint8 and returns logits, probabilities and
            decisions, each (B, C). It has `image_size`, `temperature` and `thresholds`.
        folder: the bundle's folder; a bundle in it is replaced.
        scheme: `codes`, `names`, `hash` and `name` of the labels.
        points: the operating points (`temperature`, `thresholds`) that the student carries.
        metrics: test metrics with intervals, for the card.
        check_images: (N, 3, H, W) uint8 pages on which both must give the same answer.
        info: further facts for the card (experiment, data, renderer and so on).
        tolerance: difference that the graph's answers must stay below.
        batched: whether the graph takes any number of pages at once, or one.
        documents: texts that the bundle carries, by the name of the file.

    Returns:
        The card as it is written to `bundle.json`. Its `check` gives the largest difference in
        logits and in probabilities, and `decisions`: how far from its threshold a probability lies
        where the two decide differently, 0 where they nowhere do.

    Raises:
        BundleError: if student, scheme and points do not fit together, or if a difference between
            ONNX Runtime and PyTorch reaches `tolerance`.
    """
    target = Path(folder)
    check_replaceable(target, CARD, "a bundle")
    _check_arguments(student, scheme, points, check_images, target)
    card = make_card(
        student.image_size,  # type: ignore[arg-type]
        scheme=scheme,
        points=points,
        metrics=metrics,
        info=info,
        standard=getattr(student, "standard", False),
    )
    with atomic_folder(target) as made:
        write_model(
            student, made, a_page(student), OUTPUTS, card, model_notes(card), batched=batched
        )
        write_documents(made, card, documents or {})
        with working("comparing the export with the network"):
            card["check"] = check_agreement(
                student, Bundle.open(made), (check_images,),
                partial(differences, np.asarray(points.thresholds)),
                tolerance=tolerance, file=target, batch=16,
            )  # fmt: skip
        write_card(made, card)
    return card


def differences(thresholds: NDArray[np.float64], wanted: Answer, found: Answer) -> dict[str, float]:
    """The largest difference of each output; see `export_bundle` for that of decisions."""
    logits, probabilities = (
        np.abs(a.astype(np.float64) - b) for a, b in zip(wanted[:2], found[:2], strict=True)
    )
    undecided = np.abs(wanted[1] - thresholds) * (wanted[2].astype(bool) != found[2])
    values = (logits, probabilities, undecided)
    return {name: float(v.max()) for name, v in zip(OUTPUTS, values, strict=True)}


def _check_arguments(
    student: nn.Module, scheme: Any, points: Any, images: NDArray[np.uint8], target: Path
) -> None:
    height, width = (int(side) for side in student.image_size)  # type: ignore[union-attr]
    check_pages(images, (height, width), target)
    check_points(student, scheme, points, target)


def check_points(student: nn.Module, scheme: Any, points: Any, target: Path) -> None:
    """Refuse a student whose operating points are others than those of its card.

    Raises:
        BundleError: names what differs.
    """
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


def write_documents(folder: Path, card: dict[str, Any], documents: Mapping[str, str]) -> None:
    """Write texts into a bundle's folder and name them in its card, which is written again.

    Args:
        documents: by the name of the file.
    """
    for name, text in documents.items():
        (folder / name).write_bytes(text.encode())
        card["files"][name] = hashlib.sha256(text.encode()).hexdigest()
    write_card(folder, card)
