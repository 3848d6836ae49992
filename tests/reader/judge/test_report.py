"""The report of a reader holds its figures, its pages and nothing from outside."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgvision.reader.judge.digitisation import FIGURES
from ecgvision.reader.judge.report import write_reading_report
from ecgvision.reader.judge.summary import summarise

NASTY = "<i>6x2</i>"


@pytest.fixture
def judged() -> pd.DataFrame:
    """Three leads of four pages, in two layouts and two artefacts."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "record_id": [f"r{i // 3}" for i in range(12)], "patient_id": "",
        "layout": ["3x4"] * 6 + [NASTY] * 6, "artefact": (["clean"] * 3 + ["photo"] * 3) * 2,
        "paper": "kit", "gain": 10.0, "speed": 25.0, "lead": ["I", "II", "V1"] * 4,
        "printed": True, "right": 0.8, "lead_confidence": 0.7, "confidence": 0.7,
        "kaggle_signal": 4.0, "kaggle_noise": 1.0, **{name: rng.random(12) for name in FIGURES},
    })  # fmt: skip


def write(path: Path, judged: pd.DataFrame, **changes: object) -> tuple[str, dict]:
    found = summarise(judged, 0.75)
    example = {"image": np.full((3, 40, 60), 255, np.uint8), "trace": np.full((12, 5, 2), 0.5),
               "found": np.ones((12, 5), bool), "record_id": NASTY, "layout": "3x4",
               "artefact": "photo"}  # fmt: skip
    values = {
        "config": {"seed": NASTY},
        "metrics": {"data": {"name": NASTY}, "reading": {"test": found}, "wall_seconds": 12.4},
        "judged": judged, "history": pd.DataFrame({"epoch": [0, 1], "train/loss": [2.0, 1.0]}),
        "examples": [example],
    }  # fmt: skip
    write_reading_report(path, **(values | changes))
    return path.read_text(), found


def rows(document: str) -> list[list[str]]:
    """Texts of the cells of every table row."""
    found = re.findall(r"<tr>(.*?)</tr>", document, re.DOTALL)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in found]


def test_every_group_has_its_figures(tmp_path: Path, judged: pd.DataFrame) -> None:
    document, found = write(tmp_path / "r.html", judged)
    shown = {row[0]: row for row in rows(document) if row}
    escaped = NASTY.replace("<", "&lt;").replace(">", "&gt;")
    for key, name in (("all", "all pages"), ("layout:3x4", "3x4"), (f"layout:{NASTY}", escaped),
                      ("view:3x4, photo", "3x4, photo"), ("lead:V1", "V1")):  # fmt: skip
        f, row = found[key], shown[name]
        assert row[1:4] == [str(f[k]) for k in ("pages", "refused", "leads")]
        assert row[4] == f"{f['snr_db']['median']:.1f}"
        assert row[5] == "{:.1f} to {:.1f}".format(*f["snr_db"]["ci95"])
        assert row[6:8] == [f"{f['snr_db'][k]:.1f}" for k in ("mean", "p10")]
        assert row[8] == f"{f['snr_official_db']['mean']:.1f}"
        assert row[9] == f"{f['snr_kaggle_db']['value']:.1f}"
        assert row[10:13] == [f"{f[k]['median']:.3f}" for k in
                              ("correlation", "rmse_mv", "amplitude_error_mv")]  # fmt: skip
        assert row[13:15] == [f"{1000 * f[k]['median']:.1f}" for k in
                              ("interval_error_s", "time_shift_s")]  # fmt: skip
        assert row[15] == f"{f['presence_accuracy']['mean']:.3f}"
        assert row[16:] == ["0.70", "0.80"]
    assert "By paper" not in document  # there is one
    assert f"{found['all']['snr_db']['median']:.1f} dB" in document
    assert "12 s" in document


def test_it_is_escaped_and_alone(tmp_path: Path, judged: pd.DataFrame) -> None:
    document, _ = write(tmp_path / "r.html", judged)
    assert "<i>" not in document
    links = re.findall(r"(?:src|href)=\"([^\"]{22})", document)
    assert links == [*["data:image/svg+xml;bas"] * 3, "data:image/jpeg;base64"]
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_nothing_read_is_no_figure(tmp_path: Path, judged: pd.DataFrame) -> None:
    nothing = judged.assign(right=np.nan, **dict.fromkeys(FIGURES, np.nan))
    document, _ = write(tmp_path / "r.html", nothing, history=None, examples=[])
    assert "<img" not in document
    assert "not defined" in document
    for heading in ("How well it reads", "How sure it is", "Training", "Pages of the test folds"):
        assert heading not in document
