"""The model card of a run states its data, figures and limits, and is valid text."""

from __future__ import annotations

import pandas as pd

from ecgvision.evaluate.metrics.operating_points import fit_from_table
from ecgvision.evaluate.metrics.scores import evaluate
from ecgvision.evaluate.report.model_card import as_markdown, sections


def test_a_card_holds_what_metrics_and_configuration_say(make_table):
    table = pd.concat([make_table(split="val"), make_table()], ignore_index=True)
    points = fit_from_table(table)
    metrics = {
        "version": "1.2", "code": "abc", "label_hash": "fff", "labels": ["NORM", "MI", "CD"],
        "data": {"name": "ptbxl", "hash": "123", "train": 900, "val": 120, "test": 120},
        "layouts": ["3x4"], "artefacts": ["clean"], "without_training_positives": ["CD"],
        "operating_points": {s: p.to_dict() for s, p in points.items()},
        **evaluate(table, points, draws=10),
    }  # fmt: skip
    config = {"exp": "vizecg", "model": {"image_encoder": "tracenet", "width": 8},
              "data": {"folds": {"val": [9], "test": [10]}, "style": "kit"}}  # fmt: skip
    text = as_markdown(sections(config, metrics, intended_use="Research.", run="r1"))
    auroc = metrics["test"]["image"]["macro_auroc"]["value"]
    for part in (
        "# Model card", "- system: vizecg", "- image_encoder: tracenet", "- use: Research.",
        "- train records: 900", "- folds: val: [9], test: [10]", "- sha256 of the records: 123",
        "- hash of the scheme: fff", f"AUROC (n = 120): {auroc:.3f} (", "- image, MI (",
        "policy max_f1, temperature", "- labels that no training record has: CD",
    ):  # fmt: skip
        assert part in text
    assert "width" not in text
