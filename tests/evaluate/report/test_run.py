from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ecgvision.core.errors import DataError
from ecgvision.evaluate.metrics import curves
from ecgvision.evaluate.metrics.operating_points import apply, fit_from_table
from ecgvision.evaluate.metrics.scores import evaluate
from ecgvision.evaluate.report.run import write_report


@pytest.fixture(scope="module")
def run(make_table):
    """(metrics, predictions) of two streams, the image in two layouts."""
    tables = [make_table(split=s, layout=w, seed=i, codes=("NORM", "<b>$MI$", "CD"))
              for i, (s, w) in enumerate((s, w) for s in ("val", "test") for w in ("3x4", "6x2"))]  # fmt: skip
    tables += [make_table(split=s, stream="signal", layout="", seed=7, codes=("NORM", "<b>$MI$", "CD"))
               for s in ("val", "test")]  # fmt: skip
    table = pd.concat(tables, ignore_index=True)
    points = fit_from_table(table)
    metrics = {
        "exp": "vizecg", "data": {"name": "synthetic", "train": 10, "val": 120, "test": 120},
        "labels": ["NORM", "<b>$MI$", "CD"], "wall_seconds": 75.0,
        **evaluate(table, points, draws=20),
    }  # fmt: skip
    return metrics, apply(table, points)


HISTORY = pd.DataFrame({
    "epoch": [0, 0, 1, 1], "train/loss": [None, 0.9, None, 0.5], "val/loss": [0.8, None, 0.6, None],
    "val/image_auroc": [0.7, None, 0.8, None],
})  # fmt: skip


PAGE = np.full((80, 120, 3), 255, np.uint8)
EXAMPLES = [
    {"image": PAGE, "record_id": "test-3", "layout": "6x2", "text": "<script>alert(1)</script>"},
    {"image": PAGE, "record_id": "test-5", "layout": "6x2"},
    {"image": PAGE, "record_id": 'elsewhere" onerror="'},
]  # fmt: skip


def write(run, path: Path) -> Path:
    metrics, table = run
    write_report(path, config={"seed": "</pre><i>"}, metrics=metrics, predictions=table,
                 history=HISTORY, examples=EXAMPLES, draws=10)  # fmt: skip
    return path


@pytest.fixture(scope="module")
def written(run, tmp_path_factory) -> Path:
    """A report in a folder of its own."""
    return write(run, tmp_path_factory.mktemp("written") / "run/report.html")


class Links(HTMLParser):
    """Every src and href, and the tags and attributes met."""

    def __init__(self):
        super().__init__()
        self.links, self.tags, self.attributes = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {k for k, _ in attrs}
        self.links += [v for k, v in attrs if k in ("src", "href", "srcset")]


def test_report_is_whole_escaped_and_alone(run, written):
    document = written.read_text()
    found = Links()
    found.feed(document)
    assert found.links
    assert all(link.startswith("data:image/") for link in found.links)
    assert not {"script", "link", "iframe", "i"} & set(found.tags)
    assert found.tags.count("img") == 7  # intervals, curves, reliability, training, pages
    assert "onerror" not in found.attributes
    assert "&lt;script&gt;" in document
    assert "<b>$MI$" not in document
    row = run[0]["test"]["image@6x2"]["macro_auroc"]
    assert f"{row['value']:.3f}" in document
    assert f"{row['ci95'][0]:.3f}–{row['ci95'][1]:.3f}" in document
    assert "1 min 15 s" in document
    assert [p.name for p in written.parent.iterdir()] == ["report.html"]


def test_example_shows_the_answer_to_its_own_layout(run, written):
    metrics, table = run
    shown = written.read_text().split("record test-5")[-1]
    row = table.query("record_id == 'test-5' and stream == 'image' and layout == '6x2'").iloc[0]
    p = row["p_NORM"]
    called = p >= metrics["test"]["image"]["per_class"]["NORM"]["threshold"]
    cell = re.search(r"<td[^>]*>NORM</td><td[^>]*>(✓?)</td><td[^>]*><(\w+)>([\d.]+)", shown)
    assert cell is not None
    assert cell.groups() == ("✓" if row["y_NORM"] else "", "b" if called else "span", f"{p:.2f}")


def test_report_of_labels_that_are_not_defined(run, tmp_path):
    metrics, table = run[0], run[1].copy()
    points = fit_from_table(table)
    table.loc[table["split"] == "test", "y_CD"] = 0
    metrics = {**metrics, **evaluate(table, points, draws=5)}
    write_report(
        tmp_path / "r.html",
        config={},
        metrics=metrics,
        predictions=table,
        history=pd.DataFrame({"step": [1]}),
        examples=[],
        draws=5,
    )
    document = (tmp_path / "r.html").read_text()
    assert "not defined" in document
    assert "Left out of macro figures" in document


def test_the_same_run_writes_the_same_bytes(run, written, tmp_path):
    assert write(run, tmp_path / "again.html").read_bytes() == written.read_bytes()


def test_report_needs_probabilities_and_rows(run, tmp_path):
    metrics, table = run
    options = {"config": {}, "history": None, "examples": []}
    bare = table[[c for c in table.columns if not c.startswith("p_")]]
    with pytest.raises(DataError, match="p_"):
        write_report(tmp_path / "r.html", metrics=metrics, predictions=bare, **options)
    with pytest.raises(DataError, match="signal"):
        write_report(
            tmp_path / "r.html",
            metrics=metrics,
            predictions=table.query("stream == 'image'"),
            **options,
        )
    assert not list(tmp_path.iterdir())


def test_curves_equal_scikit_learn_and_lie_in_their_bands():
    rng = np.random.default_rng(0)
    y = rng.random(400) < 0.3
    z = np.round(rng.normal(size=400) + 1.2 * y, 1)
    roc, pr = curves.roc_and_pr(z, y, np.arange(400) // 2, draws=100)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(sk.roc_auc_score(y, z), abs=1e-12)
    area = np.sum(np.diff(pr.x) * pr.y[1:])
    assert area == pytest.approx(sk.average_precision_score(y, z), abs=1e-12)
    inner = slice(10, 91)
    middle = np.interp(curves.GRID, roc.x, roc.y)[inner]
    assert (roc.low[inner] <= middle + 1e-9).all()
    assert (middle <= roc.high[inner] + 1e-9).all()
    assert curves.roc_and_pr(z, np.zeros(400), np.arange(400)) is None


def test_evaluation_does_not_import_torch():
    code = "import sys, ecgvision.evaluate.report.run, ecgvision.evaluate.metrics.compare, ecgvision.evaluate.metrics.scores; print('torch' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
