"""A bundle with other operating points: the same network, another temperature, scaling, thresholds.

The end of the graph, from the logits on, is replaced; the card states the new points and which
bundle they were fitted for. Needs the training stack (onnx).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import BundleError
from ecgvision.core.outputs import check_outside, check_replaceable
from ecgvision.deploy.bundle import Bundle, read_contents
from ecgvision.deploy.card import OUTPUTS, model_notes, operating_points_of
from ecgvision.deploy.card_file import CARD, MODEL, write_contents
from ecgvision.deploy.open_bundle import AnyStudent, open_student
from ecgvision.evaluate.metrics.operating_points import OperatingPoints

DOCUMENT = "MODEL_CARD.md"
LOGITS, PROBABILITIES, DECISIONS = OUTPUTS
SCALED, SHIFTED = "points.scaled", "points.shifted"
"""Values between the logits and the probabilities."""

TOLERANCE = 1e-5
"""Largest difference of a probability from that of the operating points (our default: float32)."""


def write_recalibrated(
    bundle: AnyStudent, folder: str | os.PathLike[str], points: OperatingPoints, *,
    metrics: Mapping[str, Any], about: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Write a copy of a bundle with other operating points; it appears whole or not at all.

    Args:
        bundle: the bundle.
        folder: of the copy; a bundle in it is replaced.
        points: operating points of the bundle's labels.
        metrics: figures of the copy, for its card.
        about: what the points were fitted on; stands in the card's info as `recalibrated`.

    Returns:
        The card of the copy.

    Raises:
        BundleError: if the points are of other labels, the graph is not one of this package, or the
            copy does not answer as the points say.
        OutputError: if the folder holds something else, or is the bundle's own.
    """
    target = Path(folder)
    check_replaceable(target, CARD, "a bundle")
    check_outside(target, [bundle.folder])
    if points.codes != bundle.codes:
        raise BundleError("operating points are of other labels", file=bundle.folder,
                          value=points.codes)  # fmt: skip
    contents = read_contents(bundle.folder, bundle.card)
    info = {**bundle.card["info"], "recalibrated": {"from": bundle.id, **about}}
    card = {
        **bundle.card,
        "operating_points": operating_points_of(points),
        "metrics": dict(metrics),
        "info": info,
    }
    graph = replace_points(onnx.load_from_string(contents[MODEL]), points, bundle.folder)
    for key, value in model_notes(card).items():
        _set_note(graph, key, value)
    contents[MODEL] = graph.SerializeToString()
    if DOCUMENT in contents:
        contents[DOCUMENT] += _told(points, card["info"]["recalibrated"]).encode()
    with atomic_folder(target) as made:
        write_contents(made, card, contents)
        _check(bundle, open_student(made), points)
    return card


def replace_points(model: onnx.ModelProto, points: OperatingPoints, file: Path) -> onnx.ModelProto:
    """Replace what follows the logits in a student's graph.

    Raises:
        BundleError: if the graph does not end in logits, probabilities and decisions.
    """
    graph = model.graph
    if [value.name for value in graph.output] != list(OUTPUTS):
        raise BundleError("the graph does not end as a student's does", file=file,
                          value=[value.name for value in graph.output])  # fmt: skip
    replaced = {PROBABILITIES, DECISIONS, SCALED, SHIFTED}
    kept = [node for node in graph.node if not set(node.output) & replaced]
    del graph.node[:]
    graph.node.extend(kept)
    slopes = np.asarray(points.slopes or np.ones(len(points.codes))) / points.temperature
    shifts = np.asarray(points.intercepts or np.zeros(len(points.codes)))
    constants = {"points.slopes": slopes, "points.intercepts": shifts,
                 "points.thresholds": np.asarray(points.thresholds)}  # fmt: skip
    own = [value for value in graph.initializer if value.name not in constants]
    del graph.initializer[:]
    graph.initializer.extend(own)
    graph.initializer.extend(
        numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()
    )
    graph.node.extend([
        helper.make_node("Mul", [LOGITS, "points.slopes"], [SCALED]),
        helper.make_node("Add", [SCALED, "points.intercepts"], [SHIFTED]),
        helper.make_node("Sigmoid", [SHIFTED], [PROBABILITIES]),
        helper.make_node("GreaterOrEqual", [PROBABILITIES, "points.thresholds"], [DECISIONS]),
    ])  # fmt: skip
    _drop_unused(graph)
    onnx.checker.check_model(model)
    assert graph.output[2].type.tensor_type.elem_type == TensorProto.BOOL
    return model


def _told(points: OperatingPoints, about: Mapping[str, Any]) -> str:
    """Return the section of the model card on a recalibration."""
    thresholds = ", ".join(
        f"{code} {t:.3f}" for code, t in zip(points.codes, points.thresholds, strict=True)
    )
    facts = [f"- {name}: {value}" for name, value in about.items()]
    return "\n".join(["## Recalibrated: these operating points replace those above", "", *facts,
                      f"- thresholds: {thresholds}", ""])  # fmt: skip


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes and constants that no output needs."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):  # nodes stand in the order of their evaluation
        if needed & set(node.output):
            needed |= set(node.input)
            for attribute in node.attribute:
                needed |= {name for inner in attribute.g.node for name in inner.input}
            kept.append(node)
    constants = [value for value in graph.initializer if value.name in needed]
    for field, values in ((graph.node, kept[::-1]), (graph.initializer, constants)):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        del field[:]
        field.extend(copies)
    shapes = [value for value in graph.value_info if value.name in needed]
    del graph.value_info[:]
    graph.value_info.extend(shapes)


def _set_note(model: onnx.ModelProto, key: str, value: str) -> None:
    for note in model.metadata_props:
        if note.key == key:
            note.value = value
            return
    model.metadata_props.add(key=key, value=value)


def _check(old: AnyStudent, new: AnyStudent, points: OperatingPoints) -> None:
    """Compare the copy with the bundle and the points on noise."""
    before, after = _answers(old), _answers(new)
    difference = float(np.abs(after[1] - points.probabilities(before[0])).max())
    if not np.array_equal(after[0], before[0]) or difference > TOLERANCE:
        raise BundleError("the copy answers otherwise than its operating points", file=old.folder,
                          value=difference)  # fmt: skip


def _answers(bundle: AnyStudent) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return logits and probabilities of two inputs of noise."""
    rng = np.random.default_rng(0)
    if isinstance(bundle, Bundle):
        pages = rng.integers(0, 256, (2, 3, *bundle.image_size), dtype=np.uint8)
        return bundle.run(pages)[:2]
    signal = rng.normal(size=(2, len(LEADS), bundle.samples)).astype(np.float32)
    return bundle.run(signal, np.ones(signal.shape, bool))[:2]
