"""A bundle whose convolutions and matrix products work on 8-bit integers (static quantisation).

Needs the training stack (onnx). Networks are quantised by ONNX Runtime with scales from
calibration pages, weights for each channel. The first convolution stays in float: in `tracenet` it
measures the ink to a fraction of a pixel.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.outputs import check_outside, check_replaceable
from ecgvision.deploy.bundle import Bundle, read_contents
from ecgvision.deploy.card_file import CARD, INPUT, MODEL, write_contents
from ecgvision.deploy.recalibrated import DOCUMENT

KINDS = ("Conv", "MatMul", "Gemm")

ROUNDS, PAGES = 5, 20
"""Rounds of the comparison of speed, and pages of each; our defaults, seconds in all."""


def write_quantised(
    bundle: Bundle, folder: str | os.PathLike[str], model: bytes, *, about: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write an int8 copy of a bundle; it appears whole or not at all.

    Args:
        bundle: the bundle.
        folder: of the copy; a bundle in it is replaced.
        model: its network on int8; see `quantise`.
        about: facts of the quantisation; they stand in the card's info as `int8`.

    Raises:
        OutputError: if the folder holds something else, or is the bundle's own.
    """
    target = Path(folder)
    check_replaceable(target, CARD, "a bundle")
    check_outside(target, [bundle.folder])
    contents = read_contents(bundle.folder, bundle.card) | {MODEL: model}
    info = {**bundle.card["info"], "int8": {"from": bundle.id, **about}}
    card = {**bundle.card, "info": info, "metrics": {"before_int8": bundle.card["metrics"]}}
    if DOCUMENT in contents:
        facts = "".join(f"- {name}: {value}\n" for name, value in info["int8"].items())
        contents[DOCUMENT] += (
            f"\n## On int8: the figures above are of the network in float\n\n{facts}".encode()
        )
    with atomic_folder(target) as made:
        write_contents(made, card, contents)
        Bundle.open(made)


def quantise(bundle: Bundle, pages: NDArray[np.uint8]) -> bytes:
    """Return a bundle's network on int8, as an ONNX model.

    Args:
        pages: (N, 3, H, W) uint8 of its input, from which the ranges are calibrated.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader

    class Pages(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(pages)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            page = next(self.left, None)
            return None if page is None else {INPUT: page[None]}

    loaded = onnx.load_from_string(read_contents(bundle.folder, bundle.card)[MODEL])
    notes = {note.key: note.value for note in loaded.metadata_props}
    first = next((node.name for node in loaded.graph.node if node.op_type == "Conv"), None)
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / MODEL
        with _without_advice():
            quantize_static(
                loaded, out, Pages(), quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                op_types_to_quantize=list(KINDS), nodes_to_exclude=[first] if first else [],
            )  # fmt: skip
        made = onnx.load(str(out))
    del made.metadata_props[:]
    onnx.helper.set_model_props(made, notes)
    return bytes(made.SerializeToString())


@contextmanager
def _without_advice() -> Iterator[None]:
    """Silence ONNX Runtime's advice to developers, which goes to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def times_as_fast(bundle: Bundle, other: Bundle, pages: NDArray[np.uint8]) -> float:
    """Return the median over rounds of bundle's time over other's, one page at a time in turn."""

    def seconds(one: Bundle) -> float:
        start = time.perf_counter()
        for i in range(PAGES):
            one.run(pages[i % len(pages)][None])
        return time.perf_counter() - start

    seconds(bundle), seconds(other)  # the first calls allocate
    return float(np.median([seconds(bundle) / seconds(other) for _ in range(ROUNDS)]))
