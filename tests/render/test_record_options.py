"""`ecgvision render` says what reading changed, and takes what a record leaves out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data_prep import gallery
from ecgvision import cli
from tests.records.made_records import ecg_mv, write_wfdb

ECG = ecg_mv(12.0) + np.random.default_rng(0).normal(0, 0.02, (12, 3000))


def render(path, out, *words) -> int:
    return cli.main(["render", str(path), "--out", str(out), "--dpi", "50", *map(str, words)])


def sheet(path, out, *words) -> int:
    return gallery.main(
        [str(path), "--out", str(out), "--styles", "kit", "--width", "200", *map(str, words)]
    )


@pytest.mark.parametrize("draw", [render, sheet])
def test_notes_are_printed(draw, tmp_path, capsys):
    rows = ECG[[0, 1, 6, 7, 8, 9, 10, 11, 0]].copy()
    rows[2, :500] = np.nan
    names = ["I", "-II", "V1", "V2", "V3", "V4", "V5", "V6", "vx"]
    assert draw(write_wfdb(tmp_path, rows, leads=names), tmp_path / "p.png") == 0
    out = capsys.readouterr().out
    for line in ("III, aVR, aVL, aVF not in the file: derived", "II negated", "vx left out",
                 "V1: 20 % of what was read has no value"):  # fmt: skip
        assert f"note: {line}" in out


@pytest.mark.parametrize("draw", [render, sheet])
def test_a_pulse_is_never_drawn_unnoticed(draw, tmp_path, capsys):
    pulse = np.tile(np.repeat([0.0, 1.0, 0.0], [20, 50, 180]), (12, 1))
    assert draw(write_wfdb(tmp_path, np.hstack([ECG, pulse])), tmp_path / "p.png") == 0
    assert "note: a calibration pulse, not signal, at 12-13 s" in capsys.readouterr().out


def test_a_sound_record_has_no_notes(tmp_path, capsys):
    assert render(write_wfdb(tmp_path, ECG), tmp_path / "p.png", "--json", tmp_path / "p.json") == 0
    assert "note" not in capsys.readouterr().out
    assert json.loads((tmp_path / "p.json").read_text())["notes"] == []


@pytest.mark.parametrize("draw", [render, sheet])
def test_unit_rate_and_orientation_are_named_and_taken(draw, tmp_path, capsys):
    file, out = tmp_path / "r.npy", tmp_path / "p.png"
    np.save(file, ECG.T * 1000)
    words: list[object] = []
    for option, value in (("--orientation", "time-first"), ("--rate", 250), ("--unit", "uV")):
        assert draw(file, out, *words) == 2
        assert f"with {option}" in capsys.readouterr().err
        assert not out.exists()
        words += [option, value]
    assert draw(file, out, *words) == 0
    np.save(file, ECG)
    assert draw(file, tmp_path / "q.png", "--rate", 250) == 0
    assert (tmp_path / "q.png").read_bytes() == out.read_bytes()
