"""Weights in checkpoints and other files of tensors: reading, loading and hashing."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError, LabelError
from ecgvision.core.input_files import check_input


class Weights(NamedTuple):
    """Content of a file of tensors.

    Attributes:
        state: tensors by key.
        label_hash: hash of the label scheme of the run that wrote it; None if it was no run.
    """

    state: Mapping[str, Tensor]
    label_hash: str | None


def read_weights(path: str | Path) -> Weights:
    """Read a state dict, alone or under `state_dict` as in a checkpoint of Lightning.

    Raises:
        ConfigError: if there is no such file, it cannot be read as tensors only (`weights_only`),
            or it contains no state dict.
    """
    if not Path(path).is_file():
        raise ConfigError("there is no checkpoint", file=path, remedy="Has the run been trained?")
    try:
        check_input(path)
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        LookupError,
        ValueError,
        EOFError,
        OSError,
    ) as error:
        raise ConfigError(
            "not a readable file of tensors",
            file=path,
            value=type(error).__name__,
            remedy="Give a checkpoint, or a state_dict() that torch.save has written",
        ) from error
    label_hash = None
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded, label_hash = loaded["state_dict"], loaded.get("label_hash")
    if not isinstance(loaded, Mapping) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise ConfigError(
            "no state dict",
            file=path,
            value=type(loaded).__name__,
            remedy="Give a checkpoint, or a state_dict() that torch.save has written",
        )
    return Weights(loaded, label_hash)


def load_weights(
    module: nn.Module, path: str | Path, *, prefix: str = "", label_hash: str | None = None
) -> None:
    """Load a module's weights from a file; unless all of them match, none is loaded.

    Args:
        module: a module, or the task of a run.
        path: see `read_weights`.
        prefix: prefix of the module's keys in the file, such as `model.`. Keys without it are
            ignored. With the default, every key of the file must be the module's.
        label_hash: hash of the label scheme that the file must be for; None accepts any.

    Raises:
        ConfigError: if the file cannot be read, or its keys and shapes are not those of the module.
            The message names missing, unexpected and misshapen keys.
        LabelError: if the file is for other labels.
    """
    state, stored = read_weights(path)
    if label_hash is not None and stored != label_hash:
        raise LabelError(
            f"the checkpoint's labels have hash {stored}, the data's {label_hash}",
            file=path,
            remedy="Use the data.labels it was trained with",
        )
    given = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    before = {key: value.clone() for key, value in module.state_dict().items()}
    try:
        module.load_state_dict(given)
    except RuntimeError as error:
        module.load_state_dict(before)  # torch has loaded the weights that match
        raise ConfigError(
            f"the file does not hold the weights of this {type(module).__name__}",
            file=path,
            value=_differences(before, given),
            remedy=f"Keys under the prefix {prefix!r} must be exactly the module's; the file "
            f"begins with {next(iter(state), '(nothing)')}. A run of another version of the "
            "package must be trained again, or opened with that version",
        ) from error


def _differences(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """The first three keys of each kind of difference, and the number of all."""
    wrong = {
        "missing": [k for k in wanted if k not in given],
        "unexpected": [k for k in given if k not in wanted],
        "of another shape": [
            k for k, v in given.items() if k in wanted and v.shape != wanted[k].shape
        ],
    }
    return {kind: [*keys[:3], f"{len(keys)} in all"] for kind, keys in wrong.items() if keys}


def weights_hash(path: str | Path) -> str:
    """Hash the weights and the label hash of a checkpoint, and nothing else in it.

    Returns:
        The first 16 hex digits of the SHA-256.

    Raises:
        ConfigError: see `read_weights`.
    """
    state, label_hash = read_weights(path)
    digest = hashlib.sha256(str(label_hash).encode())
    for name in sorted(state):
        value = state[name].detach().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
