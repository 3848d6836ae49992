"""Base class of systems that learn labels: evaluation, export and summary of their runs.

The modules that evaluate and export are imported where they are used, so that checking a
configuration stays fast.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.errors import ConfigError
from ecgvision.systems.base import Config, EvaluationOptions, System, Training

if TYPE_CHECKING:
    from ecgvision.data.module import EcgDataModule
    from ecgvision.nn.training.task import BaseTask


class LabelledSystem(System, ABC):
    """A system whose streams predict logits of labels."""

    def judge(
        self, config: Config, task: BaseTask, data: EcgDataModule, training: Training
    ) -> dict[str, Any]:
        """Write predictions.parquet, report.html, bundle/ and, last, metrics.json.

        Operating points are fitted on the validation rows alone; test is predicted once.
        """
        from ecgvision.systems.judging import judge_labels

        return judge_labels(self, config, task, data, training)

    def summary(self, result: Mapping[str, Any]) -> str:
        """Return the macro AUROC of each stream, its records and views, and labels left out."""
        from ecgvision.evaluate.report.summary import lines, worst_cells

        return worst_cells(result["cells"]) if "cells" in result else lines(result["test"])

    def check_evaluation(self, options: EvaluationOptions, run: str | Path) -> None:
        readers = (options.pages, options.gain, options.speed)
        if options.stores or any(value is not None for value in readers):
            raise ConfigError("only a reader takes --store, --pages, --gain and --speed", file=run)
        if options.robustness and (options.artefacts or options.images or options.fill):
            raise ConfigError("--robustness has its own artefacts, and takes --layouts alone",
                              file=run)  # fmt: skip

    def evaluate(self, run: Path, options: EvaluationOptions, *, code: str) -> Path:
        """Evaluate every test record in every layout with every artefact.

        No stream sees what the page does not show. Temperature and thresholds are those that the
        run fitted on its own validation records. Results are written to
        `RUN/evaluations/<layouts or fill, and hash>/`.

        Returns:
            The folder with predictions.parquet, metrics.json and report.html.

        Raises:
            ConfigError: if the run is not finished, reads no pages to draw with artefacts, or has
                no signal to fill.
            LayoutError: for an unknown layout.
        """
        from ecgvision.systems.evaluation import evaluate_labels
        from ecgvision.systems.robustness import evaluate_robustness

        if options.robustness:
            return evaluate_robustness(self, run, options, code=code)
        return evaluate_labels(self, run, options, code=code)
