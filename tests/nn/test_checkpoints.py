"""Checkpoints: weights come back, and what cannot be loaded is named with its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ecgvision.core.errors import ConfigError, LabelError
from ecgvision.nn.checkpoints import load_weights, read_weights, weights_hash


def checkpoint(file: Path, module: nn.Module) -> Path:
    state = {f"model.{key}": value for key, value in module.state_dict().items()}
    torch.save({"state_dict": state, "label_hash": "ours"}, file)
    return file


def test_weights_come_back(tmp_path: Path) -> None:
    kept, fresh = nn.Linear(3, 2), nn.Linear(3, 2)
    file = checkpoint(tmp_path / "best.ckpt", kept)
    load_weights(fresh, file, label_hash="ours", prefix="model.")
    assert torch.equal(fresh.weight, kept.weight)
    assert torch.equal(fresh.bias, kept.bias)
    with pytest.raises(LabelError, match="hash ours"):
        load_weights(fresh, file, label_hash="others", prefix="model.")


@pytest.mark.parametrize("other", [nn.Linear(3, 2, bias=False), nn.Bilinear(3, 2, 2)])
def test_a_run_of_another_network_is_named(tmp_path: Path, other: nn.Module) -> None:
    file = checkpoint(tmp_path / "best.ckpt", nn.Linear(3, 2))
    with pytest.raises(ConfigError, match=r"best\.ckpt.*another version"):
        load_weights(other, file, label_hash="ours", prefix="model.")


@pytest.mark.parametrize("content", [b"", b"no tensors", None])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "best.ckpt"
    if content is None:
        torch.save([1, 2], file)
    else:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"best\.ckpt"):
        load_weights(nn.Linear(3, 2), file, label_hash="ours")
    with pytest.raises(ConfigError, match=r"best\.ckpt"):
        weights_hash(file)
    with pytest.raises(ConfigError, match="no checkpoint"):
        load_weights(nn.Linear(3, 2), tmp_path / "none.ckpt", label_hash="ours")


def test_a_module_that_leaves_weights_aside_is_loaded(tmp_path: Path) -> None:
    """A task may lack what only its training had."""

    class Lean(nn.Linear):
        def load_state_dict(self, state_dict: Any, *args: Any, **named: Any) -> Any:
            kept = {key: value for key, value in state_dict.items() if key != "teacher"}
            return super().load_state_dict(kept, *args, **named)

    kept, fresh = nn.Linear(3, 2), Lean(3, 2)
    torch.save(kept.state_dict() | {"teacher": torch.zeros(1)}, tmp_path / "net.pt")
    load_weights(fresh, tmp_path / "net.pt")
    assert torch.equal(fresh.weight, kept.weight)
    with pytest.raises(ConfigError, match=r"net\.pt.*'unexpected': \['teacher', '1 in all'\]"):
        load_weights(nn.Linear(3, 2), tmp_path / "net.pt")


def test_what_is_hashed_is_weights_and_labels(tmp_path: Path) -> None:
    weights = {"a": torch.arange(3.0), "b": torch.ones(2)}
    variants = {
        "same": {"epoch": 3, "state_dict": dict(reversed(weights.items())), "label_hash": "ours"},
        "labels": {"state_dict": weights, "label_hash": "others"},
        "value": {"state_dict": weights | {"b": torch.zeros(2)}, "label_hash": "ours"},
        "shape": {"state_dict": weights | {"b": torch.ones(2, 1)}, "label_hash": "ours"},
        "type": {"state_dict": weights | {"b": torch.ones(2).half()}, "label_hash": "ours"},
        "name": {"state_dict": {"a": weights["a"], "c": weights["b"]}, "label_hash": "ours"},
    }
    torch.save({"state_dict": weights, "label_hash": "ours"}, tmp_path / "first.pt")
    first = weights_hash(tmp_path / "first.pt")
    for name, content in variants.items():
        torch.save(content, tmp_path / f"{name}.pt")
    found = {name: weights_hash(tmp_path / f"{name}.pt") for name in variants}
    assert found.pop("same") == first
    assert len({first, *found.values()}) == 6
    assert read_weights(tmp_path / "labels.pt").label_hash == "others"
