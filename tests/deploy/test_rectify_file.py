"""`ecgvision rectify`, and records at a rate of the user's."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgvision import cli
from ecgvision.core.ecg import Ecg
from ecgvision.deploy.digitize import Digitised

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/page.png"


def on_a_table(path: Path, degrees: float, scale: float) -> None:
    """Photograph the page of the documentation, turned, on a dark table."""
    page = cv2.imread(str(PAGE))
    height, width = page.shape[:2]
    size = int(1.5 * scale * max(height, width))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    turn[:, 2] += size / 2 - np.array([width / 2, height / 2])
    cv2.imwrite(str(path), cv2.warpAffine(page, turn, (size, size), borderValue=(60, 70, 80)))


@pytest.mark.parametrize(("degrees", "scale"), [(12.0, 0.9), (-78.0, 0.9)])
def test_a_photograph_is_made_flat_and_upright(
    degrees: float, scale: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, out = tmp_path / "photo.png", tmp_path / "flat.png"
    on_a_table(picture, degrees, scale)
    words = ["rectify", str(picture), "--out", str(out), "--px-per-mm", "4", "--json"]
    assert cli.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    flat = cv2.imread(str(out))
    assert flat.shape[:2] == tuple(round(4 * mm) for mm in told["size_mm"])
    assert told["turned"] == round(-degrees / 90) % 4
    grid = 255 - flat.min(axis=2).astype(float)
    rows, columns = (np.abs(np.fft.rfft(grid.mean(axis) - grid.mean())) for axis in (1, 0))
    for spectrum, mm in zip((rows, columns), told["size_mm"], strict=True):
        squares = round(mm / 5)  # the lines of 5 mm stand level and upright
        assert spectrum[squares] > 5 * np.median(spectrum)


def test_what_has_no_grid_cannot_be_made_flat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / "noise.png"), rng.integers(0, 255, (400, 500, 3), dtype=np.uint8))
    words = ["rectify", str(tmp_path / "noise.png"), "--out", str(tmp_path / "flat.png")]
    assert cli.main(words) == 2
    assert "no grid" in capsys.readouterr().err
    assert not (tmp_path / "flat.png").exists()


def test_a_record_at_another_rate_keeps_its_curve_and_its_gaps() -> None:
    time = np.arange(5000) / 500
    signal = np.tile(np.sin(2 * np.pi * time), (12, 1)).astype(np.float32)
    found = np.ones((12, 5000), bool)
    found[:, 1000:2000] = False
    signal[~found] = np.nan
    read = Digitised(Ecg(signal, 500.0, "x"), (1.0,) * 12, 1.0, (0.0,) * 12, 1.0, 1.0, found,
                     np.zeros((12, 5000, 2)))  # fmt: skip
    for rate in (250.0, 360.0, 1000.0):
        other = read.at_rate(rate)
        at = np.arange(round(10 * rate)) / rate
        assert other.ecg.rate == rate
        assert other.ecg.signal.shape == (12, len(at))
        inside = (at < 1.996) | ((at >= 4.0) & (at < 9.996))
        np.testing.assert_allclose(other.ecg.signal[0, inside], np.sin(2 * np.pi * at)[inside],
                                   atol=1e-4)  # fmt: skip
        assert np.isnan(other.ecg.signal[0, (at > 2.0) & (at < 3.996)]).all()
        np.testing.assert_array_equal(np.isfinite(other.ecg.signal), other.found)
