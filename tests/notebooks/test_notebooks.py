"""Every notebook runs from its first cell to its last, in its own folder, and draws."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ecgvision.evaluate import predictions
from ecgvision.evaluate.metrics import operating_points

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
FIGURES = {"comparing": 2, "pages": 3, "reading": 2}
FEWER = {"reading": ("records=3", "records=1")}
"""What is replaced in a notebook: pages of further records are read as the first one's are."""


def code(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    many, few = FEWER.get(path.stem, ("", ""))
    assert any(many in source for source in sources)
    return [source.replace(many, few) for source in sources] if many else sources


def a_run(folder: Path) -> None:
    """What a finished run leaves: two streams, the second the better one."""
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"record_id": [f"r{i}" for i in range(160)], "patient_id": [f"p{i}" for i in range(160)],
                           "fold": 9})  # fmt: skip
    targets = rng.random((160, 2)) < 0.4
    parts = [
        predictions.build(people.iloc[rows], split=split, stream=stream, layout="3x4+II", artefact="clean",
                          logits=rng.normal(targets[rows] * gain, 1.0), targets=targets[rows], codes=("MI", "HYP"))
        for split, rows in (("val", slice(0, 80)), ("test", slice(80, 160)))
        for stream, gain in (("image", 1.0), ("signal", 3.0))
    ]  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    folder.mkdir(parents=True)
    points = operating_points.fit_from_table(table)
    predictions.save(operating_points.apply(table, points), folder / "predictions.parquet")


def test_every_notebook_is_run_here():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_notebook_runs(name, tmp_path, monkeypatch, capsys):
    there = tmp_path / "notebooks"
    there.mkdir()
    shutil.copy(FOLDER / f"{name}.ipynb", there)
    a_run(tmp_path / "runs" / "vizecg" / "one")
    (tmp_path / "data_prep").symlink_to(ROOT / "data_prep")
    monkeypatch.chdir(there)  # and, as in Jupyter, nothing but the package can be imported
    monkeypatch.setattr(
        sys, "path", [p for p in sys.path if Path(p).resolve() not in (ROOT, there)]
    )
    for module in [m for m in sys.modules if m.split(".")[0] == "data_prep"]:
        monkeypatch.delitem(sys.modules, module)
    space: dict[str, object] = {"__name__": name}
    plt.close("all")
    try:
        for number, source in enumerate(code(there / f"{name}.ipynb")):
            exec(compile(source, f"{name}, cell {number}", "exec"), space)
        assert len(plt.get_fignums()) == FIGURES[name]
        for figure in plt.get_fignums():
            plt.figure(figure).canvas.draw()
    finally:
        plt.close("all")
    if name == "comparing":
        assert "image - signal: -0." in capsys.readouterr().out
    if name == "reading":
        assert np.nanmedian(space["snr"]) > 5
        said = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in said] == ["clean", "photo", "fax"]


def test_a_notebook_holds_no_output():
    for path in FOLDER.glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None
