"""Export of a trained network to an ONNX graph in a bundle."""

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

from ecgvision.core.progress import working
from ecgvision.deploy.card_file import INPUT, MODEL, OPSET, write_card

FOLDED = 1024
"""Largest constant in bytes that is folded into the graph instead of computed; our default."""


def to_onnx(model: nn.Module, outputs: Sequence[str], *, batched: bool = True) -> onnx.ModelProto:
    """Convert a model of pages to an ONNX graph with named outputs and embedded weights.

    The exporter's own optimiser tries every pattern at every node, which takes minutes for the
    thousands of nodes of a reader. Here, only constants are folded and duplicate or unused nodes
    removed.

    Args:
        model: a model with `image_size` that takes (B, 3, H, W) uint8.
        outputs: names of the outputs.
        batched: accept batches of any size; otherwise of one page. A page reader's graph takes one
            page: a batched graph would have a fourth more nodes and take the exporter more than
            twice as long.
    """
    height, width = model.image_size  # type: ignore[misc]  # a plain attribute
    was_training = model.training
    model.eval()
    device = next(iter(model.parameters())).device
    pages = 2 if batched else 1  # with a batch of one, the batch size would become a constant
    example = torch.zeros((pages, 3, int(height), int(width)), dtype=torch.uint8, device=device)
    try:
        with quiet_exporter():
            program = torch.onnx.export(
                model, (example,), dynamo=True, opset_version=OPSET, input_names=[INPUT],
                output_names=list(outputs),
                dynamic_shapes=({0: torch.export.Dim("batch")},) if batched else None,
                external_data=False, verbose=False, optimize=False,
            )  # fmt: skip
            assert program is not None  # only the old exporter, which writes a file, returns None
            fold_constants_ir(program.model, output_size_limit=FOLDED)
            passes.Sequential(
                common.ClearMetadataAndDocStringPass(),  # drops the source location of every node
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
    """Write the graph and the card into a bundle's folder; adds `files` and `digest` to `card`.

    Args:
        notes: metadata of the model file, repeated from the card.
        batched: see `to_onnx`.
    """
    with working("exporting the network to ONNX"):
        graph = to_onnx(model, outputs, batched=batched)
    for key, value in notes.items():
        graph.metadata_props.add(key=key, value=value)
    content = graph.SerializeToString()
    (folder / MODEL).write_bytes(content)
    card["files"] = {MODEL: hashlib.sha256(content).hexdigest()}
    write_card(folder, card)


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence the exporter's log messages below errors within the context."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
