"""Files of a run directory that other code opens: configuration, metrics and checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ecgvision.core.errors import ConfigError
from ecgvision.core.input_files import read_json, read_text
from ecgvision.shipped import resolve_run

CONFIG_FILE = "config.yaml"
METRICS = "metrics.json"
BEST = "checkpoints/best.ckpt"
METRICS_BYTES = 512_000_000
"""Largest metrics.json that is read (our default)."""


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read the configuration of a run directory.

    Raises:
        ConfigError: if the folder is not a run directory.
    """
    file = Path(folder) / CONFIG_FILE
    if not file.is_file():
        raise ConfigError("not a run directory: there is no configuration", file=file,
                          remedy="Give the folder that experiments.run printed")  # fmt: skip
    try:
        found = yaml.safe_load(read_text(file))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError("the configuration cannot be read", file=file,
                          value=str(error)[:200]) from error  # fmt: skip
    if not isinstance(found, dict) or "exp" not in found:
        raise ConfigError("the configuration of a run is a table that names its exp", file=file)
    return found


def read_metrics(folder: str | Path, who: str = "the run") -> dict[str, Any]:
    """Read the metrics.json of a finished run.

    Args:
        folder: the run directory.
        who: name of the run in the message.

    Raises:
        ConfigError: if the run has not finished.
    """
    file = Path(folder) / METRICS
    if not file.is_file():
        raise ConfigError(f"{who} has not finished", file=file,
                          remedy="Repeat its command, which goes on where it stopped")  # fmt: skip
    try:
        found = read_json(file, limit=METRICS_BYTES)
    except (OSError, ValueError) as error:
        raise ConfigError("the metrics cannot be read", file=file,
                          value=str(error)[:200]) from error  # fmt: skip
    if not isinstance(found, dict):
        raise ConfigError("the metrics of a run are a table", file=file)
    return found


def checkpoint_file(given: str | Path) -> Path:
    """Return the path of a checkpoint.

    Args:
        given: a checkpoint; a run directory, for its best checkpoint; or `shipped`, for the page
            reader that comes with the package.
    """
    path = resolve_run(given).expanduser()
    return path / BEST if path.is_dir() else path
