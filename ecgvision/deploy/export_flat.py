"""Export of the two networks that read flat pages to a bundle. Needs the training stack."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.errors import BundleError
from ecgvision.deploy.card_file import INPUT, OPSET, write_card
from ecgvision.deploy.flat_bundle import (
    MARKS_MODEL,
    OUTPUTS,
    TRACE_MODEL,
    FlatReaderBundle,
    make_flat_card,
    sha256,
)
from ecgvision.deploy.graph import exporting
from ecgvision.reader import flat_reader
from ecgvision.reader.networks.mark_net import DeployedMarkNet, MarkNet
from ecgvision.reader.networks.trace_net import TraceNet
from ecgvision.reader.trace import strips

TOLERANCE = 2e-3
"""Difference from PyTorch that every output must stay below, after a softmax or sigmoid of logits;
our default."""

EXAMPLE = 384
"""Width in pixels of the example by which the networks are traced; any multiple is taken later."""


def export_flat(
    marks: MarkNet, trace: TraceNet, folder: str | os.PathLike[str], *,
    calibration: Sequence[float], least_confidence: float, metrics: Mapping[str, Any],
    info: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Write the bundle and compare it with the networks; it appears whole or not at all.

    Args:
        folder: the bundle's folder; a bundle in it is replaced.
        calibration, least_confidence, metrics, info: see `make_reader_card`.

    Returns:
        The card as it is written.

    Raises:
        BundleError: if a difference between ONNX Runtime and PyTorch reaches `TOLERANCE`.
    """
    target = Path(folder)
    networks = {MARKS_MODEL: DeployedMarkNet(marks).eval(), TRACE_MODEL: trace.eval()}
    sizes = {MARKS_MODEL: flat_reader.MULTIPLE * 2, TRACE_MODEL: strips.HEIGHT}
    card = make_flat_card(calibration=calibration, least_confidence=least_confidence,
                          metrics=metrics, info=info)  # fmt: skip
    with atomic_folder(target) as made:
        card["files"] = {}
        for name, network in networks.items():
            content = _graph(network, name, sizes[name]).SerializeToString()
            (made / name).write_bytes(content)
            card["files"][name] = sha256(content)
        write_card(made, card)
        _check(FlatReaderBundle.open(made), networks, sizes, target)
    return card


def _graph(network: nn.Module, name: str, height: int) -> onnx.ModelProto:
    example = torch.zeros((1, 3, height, EXAMPLE), dtype=torch.uint8)
    axes = (3,) if name == TRACE_MODEL else (2, 3)
    multiple = strips.MULTIPLE if name == TRACE_MODEL else flat_reader.MULTIPLE
    dims = {axis: multiple * torch.export.Dim(f"n{axis}", min=1, max=256) for axis in axes}
    with exporting():
        program = torch.onnx.export(
            network, (example,), dynamo=True, opset_version=OPSET, input_names=[INPUT],
            output_names=list(OUTPUTS[name]), dynamic_shapes=(dims,), external_data=False,
            verbose=False,
        )  # fmt: skip
    assert program is not None  # only the old exporter, which writes a file, returns None
    return program.model_proto


def _check(
    bundle: FlatReaderBundle, networks: Mapping[str, nn.Module], sizes: Mapping[str, int],
    target: Path,
) -> None:  # fmt: skip
    """Compare both on noise of two sizes.

    Raises:
        BundleError: if they differ.
    """
    rng = np.random.default_rng(0)
    for name, network in networks.items():
        for width in (EXAMPLE, 2 * EXAMPLE):
            image = rng.integers(0, 256, (1, 3, sizes[name], width), dtype=np.uint8)
            with torch.inference_mode():
                wanted = [value.numpy() for value in network(torch.from_numpy(image))]
            found = bundle.see(image[0]) if name == MARKS_MODEL else bundle.trace(image)
            for output, a, b in zip(OUTPUTS[name], wanted, found, strict=True):
                a = a[0] if name == MARKS_MODEL else a
                off = float(np.abs(a - b).max() / max(1.0, float(np.abs(a).max())))
                if off >= TOLERANCE:
                    raise BundleError(f"{output} of the exported network differs", file=target,
                                      value=off)  # fmt: skip
