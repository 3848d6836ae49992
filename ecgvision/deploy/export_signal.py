"""Export of a trained network of signals to a bundle. Needs the training stack."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.ecg import LEADS
from ecgvision.core.outputs import check_replaceable
from ecgvision.core.progress import working
from ecgvision.deploy.agreement import check_agreement
from ecgvision.deploy.card import OUTPUTS, model_notes
from ecgvision.deploy.card_file import CARD, write_card
from ecgvision.deploy.export import TOLERANCE, check_points, differences, write_documents
from ecgvision.deploy.graph import write_model
from ecgvision.deploy.signal_bundle import INPUTS, SignalBundle, make_signal_card
from ecgvision.nn.signal_student import SignalStudent


def export_signal(
    student: SignalStudent,
    folder: str | os.PathLike[str],
    *,
    scheme: Any,
    points: Any,
    metrics: Mapping[str, Any],
    check: tuple[NDArray[np.float32], NDArray[np.bool_]],
    info: Mapping[str, Any],
    documents: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write a bundle and compare it with the network; the bundle appears whole or not at all.

    Args:
        check: (N, 12, T) signals in mV and masks on which both must give the same answer.
        Others: see `export.export_bundle`.

    Returns:
        The card as it is written to `bundle.json`.

    Raises:
        BundleError: if student, scheme and points do not fit together, or if a difference between
            ONNX Runtime and PyTorch reaches `TOLERANCE`.
    """
    target, cut = Path(folder), student.cut
    check_replaceable(target, CARD, "a bundle")
    check_points(student, scheme, points, target)
    card = make_signal_card(rate=cut.rate, samples=cut.length, leads=student.leads, scheme=scheme,
                            points=points, metrics=metrics, info=info)  # fmt: skip
    shape = (len(LEADS), cut.length)
    inputs = dict(zip(INPUTS, (torch.zeros(shape), torch.ones(shape, dtype=torch.bool)),
                      strict=True))  # fmt: skip
    with atomic_folder(target) as made:
        write_model(student, made, inputs, OUTPUTS, card, model_notes(card))
        write_documents(made, card, documents or {})
        with working("comparing the export with the network"):
            card["check"] = check_agreement(
                student, SignalBundle.open(made), check,
                partial(differences, np.asarray(points.thresholds)),
                tolerance=TOLERANCE, file=target, batch=16, items="records",
            )  # fmt: skip
        write_card(made, card)
    return card
