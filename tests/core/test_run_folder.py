"""Checkpoints of run directories: what cannot be opened is said with the file, not with a trace."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ecgvision.core.errors import ConfigError, LabelError
from ecgvision.core.run_folder import load_weights, weights_hash


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
