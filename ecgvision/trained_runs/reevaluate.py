"""Re-evaluation of a finished run of any system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecgvision.core.run_folder import read_config
from ecgvision.core.source_digest import source_digest
from ecgvision.shipped import resolve_run
from ecgvision.systems import get_system
from ecgvision.systems.base import EvaluationOptions


def evaluate_run(run: str | Path, **options: Any) -> Path:
    """Re-evaluate a finished run on its test split with the given options.

    The run is not changed. An existing result of the same options and code is reused.

    Args:
        run: a run directory, or `shipped` for the package's reader.
        options: see `EvaluationOptions`.

    Returns:
        The folder with metrics.json and report.html.

    Raises:
        ConfigError: if the run is not finished, or its system does not take an option.
        LayoutError: for an unknown layout.
    """
    folder = resolve_run(run)
    asked = EvaluationOptions(**options)
    system = get_system(read_config(folder)["exp"])
    system.check_evaluation(asked, run)
    return system.evaluate(folder, asked, code=source_digest(__name__))
