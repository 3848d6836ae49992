"""What speaks for an answer: it lies where a network looks, and is drawn there and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ecgvision.cli import main
from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.deploy.digitize import Digitised, PageLayout
from ecgvision.deploy.occlusion import AGAINST, FOR, draw_support, figure_name, occlusion
from ecgvision.reader.rectify.mesh import plain_mesh

RATE, SECONDS = 50, 4
V2, AVF = LEADS.index("V2"), LEADS.index("aVF")


class Looker:
    """Adds up the third second of V2 for its first label; its second is against what aVF shows."""

    codes = ("A", "B")
    rate, samples = float(RATE), RATE * SECONDS

    def run(self, signal, observed):
        seen = np.where(observed, signal, 0)
        first = seen[:, V2, 2 * RATE : 3 * RATE].sum(1)
        logits = np.stack([first, -seen[:, AVF].sum(1)], axis=1).astype(np.float32)
        return logits, logits, logits > 0


def test_it_lies_where_the_network_looks() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(12, RATE * SECONDS)).astype(np.float32)
    observed = np.ones_like(signal, bool)
    observed[0], observed[AVF, 3 * RATE :] = False, False
    found = occlusion(Looker(), signal, observed)
    assert found.shape == (2, 12, SECONDS)
    assert np.isnan(found[:, 0]).all()
    assert np.isnan(found[:, AVF, 3]).all()
    wanted = np.where(np.isnan(found), np.nan, 0)
    parts = signal.reshape(12, SECONDS, RATE).sum(-1)
    wanted[0, V2, 2] = parts[V2, 2]
    wanted[1, AVF, :3] = -parts[AVF, :3]
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def reading(height: int = 240, width: int = 500) -> Digitised:
    """Twelve rows of ten seconds across the page; each lead a sine."""
    rate, count = 500.0, 5000
    signal = np.stack([0.5 * np.sin(np.arange(count) / rate * (6 + k)) for k in range(12)])
    rows = (np.arange(12) + 0.5) * height / 12
    trace = np.stack(
        [np.column_stack([np.linspace(0, width, count), np.full(count, y)]) for y in rows]
    )
    found = np.ones((12, count), bool)
    return Digitised(Ecg(signal.astype(np.float32), rate), (0.9,) * 12, 0.9, (0.02,) * 12, 1.0, 0.9,
                     found, trace, PageLayout("12x1", 0.9, False, 0, True),
                     plain_mesh((height, width), width / 250))  # fmt: skip


def test_it_is_drawn_there_and_nowhere_else() -> None:
    page = np.full((240, 500, 3), 255, np.uint8)
    support = np.zeros((12, 10), np.float32)
    support[V2, 2], support[AVF, 7], support[0, 0] = 4.0, -2.0, 0.1
    drawn = draw_support(page, reading(), support)
    y = [round((lead + 0.5) * 20) for lead in range(12)]
    strong, weak = drawn[y[V2], 125], drawn[y[AVF], 375]
    np.testing.assert_allclose(strong, 255 * (1 - 0.6 * (1 - np.array(FOR) / 255)), atol=1)
    np.testing.assert_allclose(weak, 255 * (1 - 0.3 * (1 - np.array(AGAINST) / 255)), atol=1)
    changed = (drawn != 255).any(-1)
    assert changed[:, :90].sum() == 0  # too little to be drawn
    assert changed.any(1).sum() <= 2 * 8
    assert (draw_support(page, reading(), np.full((12, 10), np.nan)) == 255).all()
    black = draw_support(np.zeros_like(page), reading(), support)
    assert (black == 0).all()  # print stays black


def test_names_of_figures() -> None:
    assert figure_name("a/b.png", 1, 1, "MI") == "b-MI.jpg"
    assert figure_name("a/study.pdf", 3, 5, "MI") == "study-p3-MI.jpg"


def test_predict_writes_a_figure_of_each_page(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("ecgvision.deploy.predict.digitize", lambda *_, **__: reading())
    monkeypatch.setattr(
        "ecgvision.deploy.predict_signal.open_reader", lambda *_, **__: SimpleNamespace()
    )
    Image.new("RGB", (500, 240), "white").save(tmp_path / "a.png")
    words = [
        "predict",
        str(tmp_path / "a.png"),
        "--threads",
        "1",
        "--explain",
        str(tmp_path / "why"),
    ]
    assert main(words) == 0
    starred = [
        line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("  *")
    ]
    found = sorted(path.name for path in (tmp_path / "why").iterdir())
    assert len(found) == max(1, len(starred))
    assert all(f"a-{code}.jpg" in found for code in starred)
    picture = np.asarray(Image.open(tmp_path / "why" / found[0]))
    assert (picture.min(-1) < 200).any()


def test_what_cannot_be_explained_is_said(bundle_folder: Path, tmp_path: Path, capsys) -> None:
    Image.new("RGB", (200, 100), "white").save(tmp_path / "a.png")
    Image.new("RGB", (200, 100), "white").save(tmp_path / "a.bmp")
    words = ["--explain", str(tmp_path / "why")]
    picture = ["predict", str(tmp_path / "a.png"), "--bundle", str(bundle_folder)]
    assert main([*picture, *words]) == 2
    assert "looks at the picture" in capsys.readouterr().err
    assert main(["predict", str(tmp_path), *words]) == 2
    assert "under one name" in capsys.readouterr().err


def test_no_band_leads_from_one_row_to_another() -> None:
    found = reading()
    trace = found.trace.copy()
    trace[V2, 1250:, 1] = 4.0  # goes on in the first row
    support = np.zeros((12, 10), np.float32)
    support[V2, 2] = 1.0
    page = np.full((240, 500, 3), 255, np.uint8)
    changed = (draw_support(page, replace(found, trace=trace), support) != 255).any(-1)
    assert changed[150].any()
    assert changed[4].any()
    assert not changed[20:130].any()


def test_missing_traces_are_passed_over() -> None:
    found = reading()
    gone = replace(found, trace=np.full_like(found.trace, np.nan))
    page = np.full((240, 500, 3), 255, np.uint8)
    assert (draw_support(page, gone, np.ones((12, 10), np.float32)) == 255).all()


@pytest.mark.parametrize("shift", [-400.0, 900.0])
def test_traces_beyond_the_picture_are_passed_over(shift: float) -> None:
    found = reading()
    page = np.full((240, 500, 3), 255, np.uint8)
    beyond = replace(found, trace=found.trace + [shift, 0])
    assert draw_support(page, beyond, np.ones((12, 10), np.float32)).shape == page.shape
