"""Cells of a robustness matrix against plain figures, and the report's heat map."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecgvision.evaluate.assessment.robustness import robustness_table
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.report.robustness import write_robustness
from ecgvision.evaluate.report.summary import worst_cells

CODES = ("NORM", "MI", "CD")


@pytest.fixture
def table(make_table):
    views = [(w, a, s) for w in ("3x4", "6x2") for a, s in (("clean", 3.0), ("blur*0.5", 1.0))]
    return pd.concat([make_table(layout=w, artefact=a, skill=s, seed=i).sample(frac=1, random_state=i)
                      for i, (w, a, s) in enumerate(views)], ignore_index=True)  # fmt: skip


def test_cells_are_paired_with_the_clean_page(table, tmp_path):
    points = {"image": OperatingPoints(1.0, (0.5,) * 3, CODES)}
    cells = robustness_table(table, points, clean="clean", draws=40)
    assert len(cells) == 4
    by_name = cells.set_index(["layout", "condition"])

    def auroc(layout, artefact):
        rows = table[(table["layout"] == layout) & (table["artefact"] == artefact)]
        return np.mean([roc_auc_score(rows[f"y_{c}"], rows[f"z_{c}"]) for c in CODES])

    for layout in ("3x4", "6x2"):
        cell = by_name.loc[(layout, "blur*0.5")]
        assert cell["auroc"] == pytest.approx(auroc(layout, "blur*0.5"))
        assert cell["change"] == pytest.approx(
            auroc(layout, "blur*0.5") - auroc(layout, "clean"))  # fmt: skip
        assert cell["change_low"] < cell["change"] < cell["change_high"] < 0
        assert cell["selective_risk"] <= cell["risk"]
        same = by_name.loc[(layout, "clean")]
        assert same["change"] == same["change_low"] == same["change_high"] == 0

    page = {**cells.iloc[1].to_dict(), "image": np.full((60, 90, 3), 255, np.uint8)}
    about = {"exp": "vizecg", "run": "r", "records": 120, "left_out": ["50 mm/s in 12x1"]}
    write_robustness(tmp_path / "out", cells, pages=[page], about=about)
    document = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for text in ("no room: 50 mm/s in 12x1", "Pages of the worst cells", "blur*0.5"):
        assert text in document
    assert len(pd.read_csv(tmp_path / "out" / "tables" / "robustness.csv")) == 4
    assert (tmp_path / "out" / "figures" / "robustness-image.svg").is_file()
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert "blur*0.5" in worst_cells(found["cells"], 1)
