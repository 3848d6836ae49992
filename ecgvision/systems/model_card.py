"""The model card of a run of any labelled system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecgvision.deploy import card, signal_bundle
from ecgvision.evaluate.report.model_card import Section, sections
from ecgvision.systems.base import Config


def run_card(config: Config, metrics: Mapping[str, Any], run: str) -> list[Section]:
    """Return the card of a run; its intended use is that of its bundle.

    Args:
        config: the run's configuration.
        metrics: content of its metrics.json.
        run: its name.
    """
    pictures = "artefacts" in config["data"] and config["model"].get("streams") != "signal"
    use = card.INTENDED_USE if pictures else signal_bundle.INTENDED_USE
    return sections(config, metrics, intended_use=use, run=run)
