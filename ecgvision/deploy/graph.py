"""Export of a trained network to an ONNX graph in a bundle."""

from __future__ import annotations

import gc
import hashlib
import logging
import warnings
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


def to_onnx(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], outputs: Sequence[str], *,
    batched: bool = True,
) -> onnx.ModelProto:  # fmt: skip
    """Convert a model to an ONNX graph with named outputs and embedded weights.

    The exporter's own optimiser tries every pattern at every node, which takes minutes for the
    thousands of nodes of a reader. Here, only constants are folded and duplicate or unused nodes
    removed.

    Args:
        model: takes the inputs in their order.
        inputs: names of the inputs, each with an example without its first axis, the batch.
        outputs: names of the outputs.
        batched: accept batches of any size; otherwise of one. A page reader's graph takes one
            page: a batched graph would have a fourth more nodes and take the exporter more than
            twice as long.
    """
    was_training = model.training
    model.eval()
    device = next(iter(model.parameters())).device
    count = 2 if batched else 1  # with a batch of one, the batch size would become a constant
    examples = tuple(value.expand(count, *value.shape).to(device) for value in inputs.values())
    batch = torch.export.Dim("batch")
    free = tuple({0: batch} for _ in inputs)
    try:
        with exporting():
            program = torch.onnx.export(
                model, examples, dynamo=True, opset_version=OPSET, input_names=list(inputs),
                output_names=list(outputs), dynamic_shapes=free if batched else None,
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


def a_page(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the input of a model of pages, which has `image_size`; see `to_onnx`."""
    height, width = model.image_size  # type: ignore[misc]  # a plain attribute
    return {INPUT: torch.zeros((3, int(height), int(width)), dtype=torch.uint8)}


def write_model(
    model: nn.Module, folder: Path, inputs: Mapping[str, torch.Tensor], outputs: Sequence[str],
    card: dict[str, Any], notes: Mapping[str, str], *, batched: bool = True,
) -> None:  # fmt: skip
    """Write the graph and the card into a bundle's folder; adds `files` and `digest` to `card`.

    Args:
        inputs, outputs: see `to_onnx`.
        notes: metadata of the model file, repeated from the card.
        batched: see `to_onnx`.
    """
    with working("exporting the network to ONNX"):
        graph = to_onnx(model, inputs, outputs, batched=batched)
    for key, value in notes.items():
        graph.metadata_props.add(key=key, value=value)
    content = graph.SerializeToString()
    (folder / MODEL).write_bytes(content)
    card["files"] = {MODEL: hashlib.sha256(content).hexdigest()}
    write_card(folder, card)


@contextmanager
def exporting() -> Iterator[None]:
    """Silence the exporter's messages below errors, and pause garbage collection, in the context.

    It also warns of every further input whose batch is as large as the first one's. A trace creates
    millions of objects that are in use to its end; searching them for garbage takes a fourth of the
    time of an export.
    """
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    collects = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="# The axis name: batch")
            yield
    finally:
        if collects:
            gc.enable()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
