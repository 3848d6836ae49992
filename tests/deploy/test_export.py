"""A bundle is written whole, agrees with PyTorch, and is refused where it does not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import timm
import torch
from torch import nn

from ecgvision.core.errors import BundleError
from ecgvision.deploy import graph
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.card_file import CARD, MODEL
from ecgvision.deploy.export import export_bundle
from ecgvision.labels.schemes import get_scheme
from ecgvision.nn.student import Student

SIZE = (64, 96)
SCHEME = get_scheme("superdiagnostic")


@dataclass(frozen=True)
class Points:
    temperature: float = 1.7
    thresholds: tuple[float, ...] = (0.5, 0.48, 0.52, 0.45, 0.55)


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = timm.create_model("test_efficientnet", num_classes=0, global_pool="")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.net(image.float() / 255 - 0.5).flatten(2).transpose(1, 2)


def make_student() -> Student:
    torch.manual_seed(0)
    points = Points()
    student = Student(
        Tower(),
        nn.Linear(256, 5),
        image_size=SIZE,
        temperature=points.temperature,
        thresholds=points.thresholds,
    )
    with torch.no_grad():  # batch norm meets the pages, so that fresh weights tell them apart
        student.head.weight *= 20
        for _ in range(30):
            student(torch.from_numpy(images()))
    return student.eval()


def images(count: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (count, 3, SIZE[0] // 8, SIZE[1] // 8), dtype=np.uint8)
    return np.repeat(np.repeat(blocks, 8, axis=2), 8, axis=3)


def call(student: nn.Module, folder: Path, **changes: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "scheme": SCHEME,
        "points": Points(),
        "metrics": {"macro_auroc": {"value": 0.9, "ci95": [0.8, 1.0]}},
        "check_images": images(),
        "info": {"exp": "test"},
    }
    return export_bundle(student, folder, **{**options, **changes})


@pytest.fixture(scope="module")
def student() -> Student:
    return make_student()


@pytest.fixture(scope="module")
def exported(student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "deep" / "bundle"
    student.train()
    call(student, folder)
    assert student.training  # left as it was found
    student.eval()
    return folder


def test_an_opened_bundle_answers_as_the_student(student: Student, exported: Path) -> None:
    bundle = Bundle.open(exported)
    for batch in (images(1), images(6)):
        with torch.inference_mode():
            wanted = [value.numpy() for value in student(torch.from_numpy(batch))]
        found = bundle.run(batch)
        assert np.abs(found[0] - wanted[0]).max() < 1e-4
        assert np.abs(found[1] - wanted[1]).max() < 1e-5
        np.testing.assert_array_equal(found[2], wanted[2])
    assert np.ptp(wanted[1], axis=0).max() > 0.05  # pages differ, so agreement means something


def test_the_card_records_the_proof_and_nothing_else_is_left(exported: Path) -> None:
    card = Bundle.open(exported).card
    assert sorted(p.name for p in exported.iterdir()) == [CARD, MODEL]
    assert [p.name for p in exported.parent.iterdir()] == ["bundle"]
    assert card["check"]["images"] == 5
    assert 0 <= card["check"]["largest_difference"]["logits"] < 1e-4
    assert card["files"] == {MODEL: hashlib.sha256((exported / MODEL).read_bytes()).hexdigest()}
    assert card["labels"]["hash"] == SCHEME.hash
    assert card["info"] == {"exp": "test"}


def test_a_second_export_replaces_the_first(
    student: Student, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onnx.load(exported / MODEL)
    del model.metadata_props[:]
    monkeypatch.setattr(graph, "to_onnx", lambda *_, **__: model)
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "old.txt").touch()
    (folder / "bundle.json").write_text("{}")  # of an older version, say
    call(student, folder, info={"second": True})
    assert Bundle.open(folder).card["info"] == {"second": True}
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


def test_a_graph_that_differs_is_refused_and_leaves_nothing(
    student: Student, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onnx.load(exported / MODEL)
    del model.metadata_props[:]
    monkeypatch.setattr(graph, "to_onnx", lambda *_, **__: model)
    other = make_student()
    with torch.no_grad():
        other.head.bias += 2e-4
    with pytest.raises(BundleError, match=r"differ by 0\.0001"):
        call(other, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []
    with torch.no_grad():
        other.head.bias.fill_(float("nan"))
    with pytest.raises(BundleError):
        call(other, tmp_path / "bundle")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"points": Points(temperature=1.0)}, "another temperature"),
        ({"points": Points(thresholds=(0.5,) * 5)}, "another thresholds"),
        ({"points": Points(thresholds=(0.5,) * 4)}, "as many thresholds"),
        ({"scheme": get_scheme("rhythm")}, "as many thresholds"),
        ({"check_images": images()[:0]}, "check_images"),
        ({"check_images": images().astype(np.float32)}, "check_images"),
        ({"info": {"x": object()}}, "JSON"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    student: Student, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        call(student, tmp_path / "bundle", **changes)
    assert list(tmp_path.iterdir()) == []
