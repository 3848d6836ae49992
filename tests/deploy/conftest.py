"""A bundle whose model is written by hand, node by node, so that its answers are known."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ecgvision.deploy.card import make_card, model_notes
from ecgvision.deploy.card_file import MODEL, OPSET, write_card
from ecgvision.labels.schemes import get_scheme

SIZE = (48, 64)
SCHEME = get_scheme("superdiagnostic")
POINTS = SimpleNamespace(temperature=2.0, thresholds=(0.5, 0.55, 0.45, 0.6, 0.52))
INFO = {"exp": "test", "layouts": ["3x4+II", "6x2"], "artefacts": ["clean"]}
WEIGHT = np.array([[4, -3, 2, -1, 0.5], [0, 1, -2, 3, -4], [-1, 2, 1, -2, 3]], np.float32)


def expected(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the hand-written model computes: the mean of each channel, through WEIGHT."""
    logits = (batch.astype(np.float64) / 255).mean(axis=(2, 3)) @ WEIGHT
    probabilities = 1 / (1 + np.exp(-logits / POINTS.temperature))
    return logits, probabilities, probabilities >= np.array(POINTS.thresholds)


def graph(points: SimpleNamespace = POINTS) -> onnx.ModelProto:
    node, real = helper.make_node, TensorProto.FLOAT
    constants = {
        "scale": np.float32(255),
        "axes": np.array([2, 3]),
        "weight": WEIGHT,
        "t": np.float32(points.temperature),
        "cut": np.array(points.thresholds, np.float32),
    }
    nodes = [
        node("Cast", ["image"], ["real"], to=real),
        node("Div", ["real", "scale"], ["unit"]),
        node("ReduceMean", ["unit", "axes"], ["colour"], keepdims=0),
        node("MatMul", ["colour", "weight"], ["logits"]),
        node("Div", ["logits", "t"], ["calibrated"]),
        node("Sigmoid", ["calibrated"], ["probabilities"]),
        node("GreaterOrEqual", ["probabilities", "cut"], ["decisions"]),
    ]
    info = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "colours",
        [info("image", TensorProto.UINT8, ["batch", 3, *SIZE])],
        [
            info("logits", real, ["batch", 5]),
            info("probabilities", real, ["batch", 5]),
            info("decisions", TensorProto.BOOL, ["batch", 5]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


def write_bundle(
    folder: Path, *, model: onnx.ModelProto | None = None, standard: bool = False
) -> Path:
    folder.mkdir(parents=True)
    metrics = {"macro_auroc": {"value": 0.9, "ci95": [0.85, 0.94]}}
    card = make_card(SIZE, scheme=SCHEME, points=POINTS, metrics=metrics, info=INFO,
                     standard=standard)  # fmt: skip
    model = model or graph()
    for key, value in model_notes(card).items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString()
    (folder / MODEL).write_bytes(content)
    card["files"] = {MODEL: hashlib.sha256(content).hexdigest()}
    write_card(folder, card)
    return folder


@pytest.fixture(scope="session")
def by_hand() -> SimpleNamespace:
    """The hand-written model's parts: `expected(batch)`, `graph()`, `write(folder)`, facts."""
    return SimpleNamespace(
        size=SIZE,
        scheme=SCHEME,
        points=POINTS,
        info=INFO,
        expected=expected,
        graph=graph,
        write=write_bundle,
    )


@pytest.fixture
def bundle_folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")
