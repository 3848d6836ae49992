"""From a trained network to an ONNX graph, and into a bundle."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx_ir import passes
from onnx_ir.passes import common
from onnxscript.optimizer import fold_constants_ir
from torch import nn

from ecgvision.deploy.card_file import INPUT, MODEL, OPSET, write_card

FOLDED = 1024
"""Bytes up to which what does not depend on the page is stored instead of computed; our default."""


def to_onnx(model: nn.Module, outputs: Sequence[str], *, batched: bool = True) -> onnx.ModelProto:
    """A model of pages as an ONNX graph: named outputs, weights inside, for any number of
    pages at once, or for one.

    The exporter's own optimiser tries every pattern it knows at every node, which takes minutes for
    the thousands of a reader. So only what is constant is folded, and what is there twice or unused
    left out.

    Args:
        model: with an `image_size`; it answers (B, 3, H, W) uint8.
        outputs: their names.
        batched: any number of pages at once. A page reader's graph takes one: its thousands of
            nodes would be a fourth more and take the exporter more than twice as long.
    """
    height, width = model.image_size  # type: ignore[misc]  # a plain attribute
    was_training = model.training
    model.eval()
    device = next(iter(model.parameters())).device
    pages = 2 if batched else 1  # of any number: a batch of one would be taken for a constant
    example = torch.zeros((pages, 3, int(height), int(width)), dtype=torch.uint8, device=device)
    try:
        with quiet_exporter():
            program = torch.onnx.export(
                model, (example,), dynamo=True, opset_version=OPSET, input_names=[INPUT],
                output_names=list(outputs),
                dynamic_shapes=({0: torch.export.Dim("batch")},) if batched else None,
                external_data=False, verbose=False, optimize=False,
            )  # fmt: skip
            assert program is not None  # only the other, file-writing exporter returns nothing
            fold_constants_ir(program.model, output_size_limit=FOLDED)
            passes.Sequential(
                common.ClearMetadataAndDocStringPass(),  # of every node where it was written
                common.RemoveUnusedNodesPass(),
                common.RemoveUnusedFunctionsPass(),
                common.RemoveUnusedOpsetsPass(),
                common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
                common.DeduplicateInitializersPass(),
                common.CommonSubexpressionEliminationPass(),
                common.NameFixPass(),
            )(program.model)  # fmt: skip
    finally:
        model.train(was_training)
    return program.model_proto


def write_model(
    model: nn.Module, folder: Path, outputs: Sequence[str], card: dict[str, Any],
    notes: Mapping[str, str], *, batched: bool = True,
) -> None:  # fmt: skip
    """Write the graph into a bundle's folder, and its card, which from now on names it.

    Args:
        notes: what the model file repeats of the card.
        batched: see `to_onnx`.
    """
    graph = to_onnx(model, outputs, batched=batched)
    for key, value in notes.items():
        graph.metadata_props.add(key=key, value=value)
    content = graph.SerializeToString()
    (folder / MODEL).write_bytes(content)
    card["files"] = {MODEL: hashlib.sha256(content).hexdigest()}
    write_card(folder, card)


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Hold back what the exporter says of its own inner workings, and nothing else."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
