"""What `python -m experiments.run --help` shows, without the time that composing takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

CONFIG = Path(__file__).parent / "config.yaml"


def asks_help(words: Sequence[str]) -> bool:
    """Whether a command line asks for the help and nothing else."""
    return list(words) in (["--help"], ["-h"])


def help_text() -> str:
    """As Hydra would print it: the template of the configuration's file, with its header."""
    told = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["hydra"]["help"]
    return str(told["template"]).replace("${hydra.help.header}", told["header"])
