"""Weights of a pretrained encoder into a module: all of them, or an error that names the others."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import ANOTHER_VERSION


def load_pretrained(module: nn.Module, path: str | Path, *, prefix: str = "") -> None:
    """Fill a module from a file of tensors; nothing is loaded unless every key fits.

    Reads a state dict, alone or under `state_dict` as in a checkpoint of Lightning.

    Args:
        prefix: what stands before the module's keys in the file, such as `student.encoder.`;
            other keys are left aside. Without it every key of the file must fit.

    Raises:
        ConfigError: if the file cannot be read as tensors only, or its keys and shapes are not
            those of the module.
    """
    load_state(module, read_state(path), prefix=prefix, file=path)


def read_state(path: str | Path) -> Mapping[str, Tensor]:
    """The tensors of a file, which holds them alone or under `state_dict`.

    Raises:
        ConfigError: if the file cannot be read as tensors only, or holds none.
    """
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ConfigError(
            "not a readable file of tensors",
            file=path,
            value=type(error).__name__,
            remedy="Save the network's state_dict() alone with torch.save",
        ) from error
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise ConfigError("no state dict", file=path, value=type(loaded).__name__)
    return loaded


def load_state(
    module: nn.Module,
    state: Mapping[str, Tensor],
    *,
    prefix: str = "",
    file: str | Path | None = None,
) -> None:
    """As `load_pretrained`, from a state dict.

    Raises:
        ConfigError: naming missing, unexpected or misshapen keys.
    """
    given = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    wanted = module.state_dict()
    wrong = {
        "missing": [k for k in wanted if k not in given],
        "unexpected": [k for k in given if k not in wanted],
        "of another shape": [
            k for k, v in given.items() if k in wanted and v.shape != wanted[k].shape
        ],
    }
    if any(wrong.values()):
        found = {kind: [*keys[:3], f"{len(keys)} in all"] for kind, keys in wrong.items() if keys}
        raise ConfigError(
            f"the state does not hold the weights of this {type(module).__name__}",
            file=file,
            value=found,
            remedy=f"Keys under the prefix {prefix!r} must be exactly the module's; the state "
            f"begins with {next(iter(state), '(nothing)')}. {ANOTHER_VERSION}",
        )
    module.load_state_dict(given)
