"""Evaluating a finished run of any system again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecgvision.core.run_folder import read_config
from ecgvision.core.source_digest import source_digest
from ecgvision.shipped import NAME, READER
from ecgvision.systems import get_system
from ecgvision.systems.base import EvaluationOptions


def evaluate_run(run: str | Path, **options: Any) -> Path:
    """Evaluate a finished run on its test split, in the views that are asked for.

    Nothing of the run is changed, and what was evaluated before by the same code is not computed
    twice.

    Args:
        run: a run directory, or `shipped` for the package's reader.
        options: see `EvaluationOptions`.

    Returns:
        The folder with metrics.json and report.html.

    Raises:
        ConfigError: if the run is not finished, or its system does not take an option.
        LayoutError: for an unknown layout.
    """
    folder = READER if str(run) == NAME else Path(run)
    asked = EvaluationOptions(**options)
    system = get_system(read_config(folder)["exp"])
    system.check_evaluation(asked, run)
    return system.evaluate(folder, asked, code=source_digest(__name__))
