from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from data_prep import gallery
from ecgvision.core.ecg import Ecg
from ecgvision.core.layouts import get_layout
from ecgvision.render.draw import draw
from ecgvision.render.papers.named import PAPERS
from experiments.bench.beats import beats


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "r.npy"
    np.save(path, beats(100, 1))
    return path


@pytest.fixture
def stamped(monkeypatch):
    """Stands for the package of artefacts: paints the page blue, and says how it was called."""
    calls = []

    def apply(preset, image, *, seed, strength, dpi):
        calls.append((preset, seed, strength, dpi, image.shape))
        return SimpleNamespace(image=np.full_like(image, (0, 0, 200)))

    presets = {"clean": 0, "scan": 1, "fax": 2}
    fake = SimpleNamespace(PRESETS=presets, apply=apply, check_name=presets.__getitem__)
    monkeypatch.setattr(gallery, "_artefacts", lambda: fake)
    return calls


def sheet_of(path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).astype(int)


def run(*words) -> int:
    return gallery.main([str(w) for w in words])


def test_by_default_every_paper_and_every_preset_is_shown(stamped) -> None:
    entries = gallery.everything()
    assert [e.style for e in entries[: len(PAPERS)]] == list(PAPERS)
    assert [e.artefact for e in entries[len(PAPERS) :]] == ["scan", "fax"]
    assert not any(e.artefact for e in entries[: len(PAPERS)])


def test_the_default_sheet(record, stamped, tmp_path, capsys) -> None:
    out = tmp_path / "sheet.png"
    assert run(record, "--rate", 100, "--out", out, "--width", 140, "--strength", 0.3) == 0
    assert f"{len(PAPERS) + 2} pages" in capsys.readouterr().out
    image = sheet_of(out)
    assert image.shape[1] == gallery.COLUMNS * (140 + gallery.GAP_PX) + gallery.GAP_PX
    assert out.stat().st_size < gallery.LIMIT
    blue = np.abs(image - (0, 0, 200)).max(2) < 40
    assert blue.sum() == pytest.approx(2 * 140 * 108, rel=0.03)
    assert [(c[0], c[2]) for c in stamped] == [("scan", 0.3), ("fax", 0.3)]
    assert stamped[0][1] != stamped[1][1]
    # artefacts of a known size need the resolution they are given
    _, _, _, dpi, (high, wide, _) = stamped[0]
    assert (high, wide) == (round(215.9 / 25.4 * dpi), round(279.4 / 25.4 * dpi))
    assert wide == pytest.approx(2 * 140, abs=2)


def test_every_combination_of_what_is_named() -> None:
    found = gallery.chosen(["kit", "muse"], ["3x4", "6x2"], [])
    assert [e.caption for e in found] == ["kit, 3x4", "kit, 6x2", "muse, 3x4", "muse, 6x2"]
    assert [e.layout for e in gallery.chosen(["nordic", "strip"], [], [])] == [
        "6x2:cabrera",
        "1x1:II",
    ]
    assert gallery.chosen([], ["12x1"], []) == [gallery.Entry("kit", "12x1")]


def test_pages_stand_whole_and_untouched_in_their_places() -> None:
    ecg = Ecg(beats(100, 2), 100.0)
    entries = gallery.chosen(["kit", "upright"], ["3x4", "6x2"], [])
    image = gallery.sheet(ecg, entries, 200, seed=0, strength=1.0)
    for i, left in enumerate((gallery.GAP_PX, 2 * gallery.GAP_PX + 200)):
        paper = PAPERS["kit"]
        page = paper.page(get_layout(entries[i].layout)).fit((200, 200))
        drawn = draw(ecg.signal, ecg.rate, page, paper.style, seed=i).image
        high, wide = drawn.shape[:2]
        inner = left + (200 - wide) // 2
        found = image[gallery.GAP_PX : gallery.GAP_PX + high, inner : inner + wide]
        np.testing.assert_array_equal(found, drawn)
        below = image[gallery.GAP_PX + high : gallery.GAP_PX + high + gallery.CAPTION_PX]
        assert (below[:, left : left + 200] < 60).any()  # a caption
        assert (below[:, : gallery.GAP_PX] == gallery.BACKDROP).all()


def test_a_heavy_sheet_is_made_smaller(record, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(gallery, "LIMIT", 20_000)
    out = tmp_path / "s.png"
    assert run(record, "--rate", 100, "--out", out, "--styles", "kit,muse", "--width", 500) == 0
    assert out.stat().st_size <= 20_000
    assert sheet_of(out).shape[1] < 1000


def test_the_same_bytes_every_time(record, tmp_path) -> None:
    for name in ("a.png", "b.png"):
        run(record, "--rate", 100, "--out", tmp_path / name, "--styles", "muse", "--width", 150)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png", "r.npy"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--styles", "fancy"], "Known: kit"),
        (["--layouts", "5x5"], "unknown layout"),
        (["--styles", "double", "--layouts", "12x1"], "On this paper fit"),
    ],
)
def test_wrong_choices_are_one_line_and_write_nothing(
    record, tmp_path, capsys, words, says
) -> None:
    out = tmp_path / "s.png"
    assert run(record, "--rate", 100, "--out", out, *words) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_named(record, tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "s.png"
    words = ["--out", out, "--styles", "muse", "--width", 100]
    assert run(record, "--rate", 100, *words) == 2
    assert "cannot write" in capsys.readouterr().err


def test_without_the_package_artefacts_are_refused(record, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(gallery, "_artefacts", lambda: None)
    assert len(gallery.everything()) == len(PAPERS)
    out = tmp_path / "s.png"
    assert run(record, "--rate", 100, "--out", out, "--artefacts", "scan") == 2
    assert "no artefacts" in capsys.readouterr().err
