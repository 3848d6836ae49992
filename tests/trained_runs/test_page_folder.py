"""`ecgvision evaluate BUNDLE --pages FOLDER` on two small pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ecgvision.cli import main
from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import BundleError, ImageError
from ecgvision.deploy.digitize import Digitised
from ecgvision.trained_runs import page_folder

SUMMARY = {"n", "n_places", "n_truth", "leads", "complete", "wrong", "late", "snr_db",
           "snr_official_db", "snr_kaggle_db", "refused", "seconds"}  # fmt: skip


@pytest.fixture
def bundle(flat_bundle: Path) -> Path:
    return flat_bundle


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    rows = []
    for name, kind in (("blank", "scan"), ("grey", "photo")):
        Image.fromarray(np.full((64, 640, 3), 255, np.uint8)).save(tmp_path / f"{name}.png")
        traces = [{"lead": lead, "x": [0.1, 0.9], "y": [0.1 + 0.06 * k] * 2}
                  for k, lead in enumerate(LEADS)]  # fmt: skip
        rows.append({"file": f"{name}.png", "kind": kind, "layout": "12x1", "simultaneous": True,
                     "traces": traces})  # fmt: skip
    (tmp_path / "places.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "truth").mkdir()
    np.save(tmp_path / "truth" / "grey.npy", truth())
    return tmp_path


def truth() -> np.ndarray:
    time = np.arange(5000) / 500
    found = np.stack([np.sin(2 * np.pi * (0.7 + 0.1 * k) * time) for k in range(12)])
    found[2:] = np.nan  # two leads are known, which is faster to judge
    return found


def answer(image: np.ndarray) -> Digitised:
    """What a good reader reads of the pages of `pages`."""
    height, width = image.shape[:2]
    time = np.arange(1000) / 100
    signal = np.stack([np.sin(2 * np.pi * (0.7 + 0.1 * k) * time) for k in range(12)])
    signal += np.random.default_rng(0).normal(0, 0.05, signal.shape)
    x = np.tile(width * (0.1 + 0.8 * time / 10), (12, 1))
    y = np.repeat(height * (0.1 + 0.06 * np.arange(12))[:, None], 1000, axis=1)
    return Digitised(Ecg(signal.astype(np.float32), 100.0, "x"), (0.9,) * 12, 0.9, (0.05,) * 12,
                     1.0, 1.0, np.ones((12, 1000), bool), np.stack([x, y], -1))  # fmt: skip


def told(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def test_the_command_tells_what_is_documented(
    bundle: Path, pages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(bundle), "--pages", str(pages), "--json"]) == 0
    found = told(capsys)
    assert found.keys() == {"bundle", "folder", "all", "by_kind", "pages"}
    assert found["folder"] == str(pages)
    assert len(found["bundle"]) == 16
    assert found["by_kind"].keys() == {"scan", "photo"}
    assert [row["file"] for row in found["pages"]] == ["blank.png", "grey.png"]
    for figures in (found["all"], *found["by_kind"].values()):
        assert figures.keys() == SUMMARY
    figures = found["all"]  # the networks have learned nothing, and there is nothing to read
    assert (figures["n"], figures["n_places"], figures["n_truth"]) == (2, 2, 1)
    assert (figures["leads"], figures["complete"], figures["refused"]) == (0, 0, 1)
    assert figures["snr_db"] == 0
    assert all("nothing can be read" in row["refused"] for row in found["pages"])
    # a run's folder stands for its bundle; without --json there is a table
    assert main(["evaluate", str(bundle.parent), "--pages", str(pages)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["all", "photo", "scan"]
    assert "2 pictures" in lines[-1]


def test_a_page_that_is_read_and_one_that_is_refused(
    bundle: Path, pages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(_: object, image: np.ndarray, *, file: str) -> Digitised:
        if "blank" in file:
            raise ImageError("nothing can be read", file=file)
        return answer(image)

    monkeypatch.setattr(page_folder, "digitize", read)
    assert main(["evaluate", str(bundle), "--pages", str(pages), "--json"]) == 0
    found = told(capsys)
    photo, scan = found["by_kind"]["photo"], found["by_kind"]["scan"]
    assert (photo["leads"], photo["complete"], photo["wrong"], photo["refused"]) == (1, 1, 0, 0)
    assert photo["late"] == pytest.approx(0, abs=1e-9)
    wanted = 10 * np.log10(0.5 / 0.05**2)
    assert photo["snr_db"] == pytest.approx(wanted, abs=2.5)
    assert (scan["leads"], scan["complete"], scan["refused"], scan["n_truth"]) == (0, 0, 1, 0)
    assert scan["snr_db"] is None
    assert found["all"]["leads"] == 0.5
    assert found["all"]["snr_db"] == photo["snr_db"]
    read_row = found["pages"][1]
    assert read_row["confidence"] == 0.9
    assert read_row["layout"] is None
    assert read_row["is_refused"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--layouts", "3x4"], "--layouts"),
        (["--gain", "5"], "--gain"),
        (["another"], "one bundle"),
    ],
)
def test_options_of_drawn_pages_are_refused(
    bundle: Path, pages: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["evaluate", str(bundle), *words, "--pages", str(pages)]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1


def test_what_is_no_reader_is_refused(
    pages: Path, tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        page_folder.bundle_of(str(tmp_path / "nothing"))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["evaluate", str(bundle), "--pages", str(empty)]) == 2
    assert "no table of places" in capsys.readouterr().err
