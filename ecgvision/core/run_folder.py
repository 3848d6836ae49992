"""The files of a run directory that other code opens: configuration, figures, checkpoint."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ecgvision.core.errors import ConfigError, LabelError
from ecgvision.shipped import NAME, READER

if TYPE_CHECKING:  # slow to import, and of no use to who reads a configuration
    from torch import nn

CONFIG_FILE = "config.yaml"
METRICS = "metrics.json"
BEST = "checkpoints/best.ckpt"
ANOTHER_VERSION = (
    "A run of another version of the package is to be trained again, or opened with that version"
)
"""What to do where weights are not those of today's network."""


def read_config(folder: str | Path) -> dict[str, Any]:
    """The configuration of a run directory.

    Raises:
        ConfigError: if the folder is no run directory.
    """
    file = Path(folder) / CONFIG_FILE
    if not file.is_file():
        raise ConfigError("not a run directory: there is no configuration", file=file,
                          remedy="Give the folder that experiments.run printed")  # fmt: skip
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def read_metrics(folder: str | Path, who: str = "the run") -> dict[str, Any]:
    """What a finished run has written of itself.

    Args:
        who: what to call it in the message.

    Raises:
        ConfigError: if the run has not finished.
    """
    file = Path(folder) / METRICS
    if not file.is_file():
        raise ConfigError(f"{who} has not finished", file=file,
                          remedy="Repeat its command, which goes on where it stopped")  # fmt: skip
    return json.loads(file.read_text(encoding="utf-8"))


def weights_hash(file: str | Path) -> str:
    """16 hex digits over a checkpoint's weights and labels, and nothing else it holds.

    Raises:
        ConfigError: if it is no checkpoint.
    """
    import torch

    state = _read_checkpoint(file)
    weights = state["state_dict"]
    digest = hashlib.sha256(str(state.get("label_hash")).encode())
    for name in sorted(weights):
        value = weights[name].detach().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _read_checkpoint(file: str | Path) -> dict[str, Any]:
    import torch

    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        dict(state["state_dict"])
    except (
        OSError, RuntimeError, pickle.UnpicklingError, LookupError, TypeError, ValueError, EOFError,
    ) as error:  # fmt: skip
        raise ConfigError("not a checkpoint", file=file, value=type(error).__name__,
                          remedy="Give a checkpoint or a run directory") from error  # fmt: skip
    return state


def checkpoint_file(given: str | Path) -> Path:
    """A checkpoint itself, or the best of a run directory; `shipped` is the package's reader."""
    path = READER if str(given) == NAME else Path(given).expanduser()
    return path / BEST if path.is_dir() else path


def load_weights(module: nn.Module, file: str | Path, *, label_hash: str, prefix: str = "") -> None:
    """Fill a task from a checkpoint, as containers of tensors only (`weights_only`).

    Args:
        prefix: takes the weights below it alone, e.g. `model.` for the network without its task.

    Raises:
        ConfigError: if there is no checkpoint, or its weights are not the module's.
        LabelError: if it was trained for other labels.
    """
    if not Path(file).is_file():
        raise ConfigError("there is no checkpoint", file=file, remedy="Has the run been trained?")
    state = _read_checkpoint(file)
    stored = state.get("label_hash")
    if stored != label_hash:
        raise LabelError(
            f"the checkpoint's labels have hash {stored}, the data's {label_hash}", file=file,
            remedy="Use the data.labels it was trained with",
        )  # fmt: skip
    weights = {
        key.removeprefix(prefix): value
        for key, value in state["state_dict"].items()
        if key.startswith(prefix)
    }
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(
            f"the checkpoint does not hold the weights of this {type(module).__name__}", file=file,
            value=" ".join(str(error).splitlines()[1:])[:200].strip(),
            remedy=ANOTHER_VERSION,
        ) from error  # fmt: skip
