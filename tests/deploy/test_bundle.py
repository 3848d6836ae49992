"""A bundle answers as its graph says, and is refused once anything in it has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from ecgvision.core.errors import BundleError
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.card import make_card, read_card
from ecgvision.deploy.card_file import CARD, MODEL, write_card

Edit = Callable[[dict[str, Any]], object]


def edit(folder: Path, change: Edit, *, seal: bool = True) -> None:
    """Change the card; with `seal`, as a writer would, so that its digest fits again."""
    card = json.loads((folder / CARD).read_text())
    change(card)
    if seal:
        write_card(folder, card)
    else:
        (folder / CARD).write_text(json.dumps(card))


def refusal(folder: Path, **options: Any) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.open(folder, **options)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_answers_are_those_of_the_graph(
    bundle_folder: Path, by_hand: SimpleNamespace, count: int
) -> None:
    rng = np.random.default_rng(count)
    batch = rng.integers(0, 256, (count, 3, *by_hand.size), dtype=np.uint8)
    batch[0] = 0
    logits, probabilities, decisions = Bundle.open(bundle_folder, threads=1).run(batch)
    wanted = by_hand.expected(batch)
    np.testing.assert_allclose(logits, wanted[0], atol=1e-5)
    np.testing.assert_allclose(probabilities, wanted[1], atol=1e-6)
    np.testing.assert_array_equal(decisions, wanted[2])
    assert (logits.dtype, decisions.dtype) == (np.float32, np.bool_)


def test_the_card_says_what_the_outputs_mean(bundle_folder: Path, by_hand: SimpleNamespace) -> None:
    bundle = Bundle.open(bundle_folder)
    assert bundle.codes == by_hand.scheme.codes
    assert bundle.names == by_hand.scheme.names
    assert bundle.label_hash == by_hand.scheme.hash
    assert bundle.thresholds == by_hand.points.thresholds
    assert bundle.temperature == by_hand.points.temperature
    assert bundle.image_size == by_hand.size


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 3, 48, 64), np.float32),
        np.zeros((1, 48, 64, 3), np.uint8),
        np.zeros((3, 48, 64), np.uint8),
    ],
)
def test_a_batch_of_another_kind_is_refused(bundle_folder: Path, batch: np.ndarray) -> None:
    with pytest.raises(BundleError, match="network_input"):
        Bundle.open(bundle_folder).run(batch)


def test_missing_parts_are_named(tmp_path: Path, by_hand: SimpleNamespace) -> None:
    assert "no such bundle" in refusal(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert "no card" in refusal(tmp_path / "empty")
    folder = by_hand.write(tmp_path / "b")
    (folder / MODEL).unlink()
    assert "missing" in refusal(folder)


def test_one_changed_bit_of_the_model_is_found(bundle_folder: Path) -> None:
    content = bytearray((bundle_folder / MODEL).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle_folder / MODEL).write_bytes(content)
    assert "sha256" in refusal(bundle_folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card["operating_points"]["thresholds"].reverse(),
        lambda card: card["metrics"]["macro_auroc"].update(value=0.99),
        lambda card: card["labels"]["names"].reverse(),
        lambda card: card.update(intended_use="Diagnosis"),
        lambda card: card.update(more=1),
    ],
)
def test_any_change_of_the_card_is_found(bundle_folder: Path, change: Edit) -> None:
    edit(bundle_folder, change, seal=False)
    assert "altered" in refusal(bundle_folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(format="zip"), "not the card"),
        (lambda c: c.update(version=2), "version"),
        (lambda c: c.pop("metrics"), "metrics"),
        (lambda c: c.update(outputs=["logits"]), "outputs"),
        (lambda c: c["labels"]["names"].pop(), "names"),
        (lambda c: c["labels"].update(hash="0" * 16), "label hash differs"),
        (lambda c: c["labels"]["definition"].update(min_likelihood=50.0), "label hash differs"),
        (lambda c: c["labels"]["definition"].update(other=1), "label scheme is damaged"),
        (lambda c: c["labels"]["codes"].reverse(), "label hash differs"),
        (lambda c: c["labels"]["codes"].__setitem__(0, "MI"), "distinct"),
        (lambda c: c["operating_points"]["thresholds"].pop(), "thresholds"),
        (lambda c: c["operating_points"].update(temperature=0), "temperature"),
        (lambda c: c["operating_points"].update(temperature=1.5), "disagree on operating_points"),
        (lambda c: c["input"].update(size=[64, 48]), "disagree on shapes"),
        (lambda c: c["input"].update(size=[48]), "input.size"),
        (lambda c: c["files"].clear(), "files must name"),
        (lambda c: c["files"].update({"../model.onnx": "0"}), "beside its card"),
    ],
)
def test_a_sealed_card_that_contradicts_itself_or_the_model_is_refused(
    bundle_folder: Path, change: Edit, said: str
) -> None:
    edit(bundle_folder, change)
    assert said in refusal(bundle_folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"format": 1}', "\x00"])
def test_a_card_that_is_no_card_is_refused(bundle_folder: Path, text: str) -> None:
    (bundle_folder / CARD).write_text(text)
    refusal(bundle_folder)


def test_another_label_scheme_is_refused_on_request(
    bundle_folder: Path, by_hand: SimpleNamespace
) -> None:
    Bundle.open(bundle_folder, label_hash=by_hand.scheme.hash)
    assert "another label scheme" in refusal(bundle_folder, label_hash="0" * 16)


def swap_model(folder: Path, content: bytes) -> None:
    (folder / MODEL).write_bytes(content)
    edit(folder, lambda c: c["files"].update({MODEL: hashlib.sha256(content).hexdigest()}))


def test_a_model_of_an_unknown_operator_set_is_refused(
    bundle_folder: Path, by_hand: SimpleNamespace
) -> None:
    model = by_hand.graph()
    model.opset_import[0].version = 9999
    swap_model(bundle_folder, model.SerializeToString())
    assert "cannot load" in refusal(bundle_folder)
    swap_model(bundle_folder, b"not a model")
    assert "cannot load" in refusal(bundle_folder)


def test_a_model_of_another_run_is_refused(bundle_folder: Path, by_hand: SimpleNamespace) -> None:
    model = onnx.load(bundle_folder / MODEL)
    for note in model.metadata_props:
        note.value = note.value.replace("0.55", "0.35")
    swap_model(bundle_folder, model.SerializeToString())
    assert "disagree on operating_points" in refusal(bundle_folder)


def test_figures_that_are_not_finite_become_null(tmp_path: Path, by_hand: SimpleNamespace) -> None:
    metrics = {"a": [float("nan"), 1.0], "b": {"c": np.float64("inf")}}
    card = make_card((4, 4), scheme=by_hand.scheme, points=by_hand.points, metrics=metrics, info={})
    assert card["metrics"] == {"a": [None, 1.0], "b": {"c": None}}
    with pytest.raises(BundleError, match="JSON"):
        make_card(
            (4, 4), scheme=by_hand.scheme, points=by_hand.points, metrics={}, info={"x": object()}
        )


def test_a_card_reads_back_as_written(bundle_folder: Path) -> None:
    card = read_card(bundle_folder)
    assert card["files"][MODEL] == hashlib.sha256((bundle_folder / MODEL).read_bytes()).hexdigest()
    assert card["versions"]["onnxruntime"]
    assert card["labels"]["definition"]["name"] == "superdiagnostic"
