"""The report of a pretraining says whether the network collapsed, and when."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from ecgvision.systems.ssl.report import write_pretrain_report

EPOCHS = [
    {"epoch": 0, "loss": 1.23456, "spread": 0.5, "collapsed": 1},
    {"epoch": 1, "loss": 1.0, "spread": 0.61, "used": 0.3, "unsure": 0.2, "collapsed": 0},
]


def write(path, verdict):
    metrics = {
        "data": {"name": "<i>", "train": 1234}, "wall_seconds": 5.4,
        "pretraining": {"modality": "time", "method": "dino", "collapse": {"verdict": verdict},
                        "epochs": EPOCHS},
    }  # fmt: skip
    history = pd.DataFrame({"epoch": [0, 1], "train/loss": [2.0, 1.0], "val/loss": [1.0, 1.0]})
    write_pretrain_report(path, config={"a": "<i>"}, metrics=metrics, history=history)
    return path.read_text()


def test_every_epoch_is_a_row(tmp_path):
    document = write(tmp_path / "r.html", "healthy")
    rows = re.findall(r"<tr>(<td.*?)</tr>", document)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    assert cells == [["0", "1.2346", "0.5000", "", "", "collapses"],
                     ["1", "1.0000", "0.6100", "0.3000", "0.2000", ""]]  # fmt: skip
    assert "1,234" in document
    assert "<i>" not in document
    assert document.count("data:image/svg+xml;base64,") == document.count("<img") == 1


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("healthy", "no sign of collapse"),
     ("uniform assignment", "collapsed (uniform assignment): do not fine-tune")],
)  # fmt: skip
def test_the_verdict_is_told(tmp_path, verdict, said):
    document = write(tmp_path / "r.html", verdict)
    assert said in document
    assert ("The network collapsed" in document) == (verdict != "healthy")
