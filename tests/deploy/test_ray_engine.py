"""Ray Data on this machine: every page once, also when a worker dies in the middle."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ecgvision.cli import main
from ecgvision.core.errors import OutputError
from ecgvision.deploy import ray_engine
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.predict import predict_files
from tests.deploy import documents


class Mortal(ray_engine.Scorer):
    """Dies once, in the middle of a batch; `died` tells that it has."""

    def pages(self, path, data):
        died = Path(os.path.dirname(path)).parent / "died"
        if Path(path).stem == "07" and not died.exists():
            died.touch()
            os._exit(1)
        return super().pages(path, data)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(20):
        Image.fromarray(documents.numbered(1 + number % 8)).save(folder / f"{number:02d}.png")
    (folder / "fax.tiff").write_bytes(
        documents.tiff([documents.numbered(1), documents.numbered(2)])
    )
    (folder / "cut.png").write_bytes((folder / "00.png").read_bytes()[:-9])
    (folder / "notes.txt").write_text("no page")
    return folder


@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_every_page_is_scored_once_though_a_worker_dies(
    bundle_folder: Path, scans: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "answers.parquet"
    assert ray_engine.run(str(bundle_folder), [str(scans)], str(out), scorer=Mortal) == 2
    assert (tmp_path / "died").exists()
    assert "23 pages, 1 of them" in capsys.readouterr().err
    found = pd.read_parquet(out)
    bundle = Bundle.open(bundle_folder, threads=1)
    wanted = list(predict_files(bundle, sorted(map(str, scans.glob("*.[pt][ni][gf]*")))))
    places = sorted(zip(found["file"], found["page_number"], strict=True))
    assert places == sorted((answer.file, answer.number) for answer in wanted)
    rows = found.set_index(["file", "page_number"])
    for answer in wanted:
        row = rows.loc[(answer.file, answer.number)]
        assert row["bundle"] == bundle.id
        if answer.error is not None:
            assert row["error"] == answer.error
            continue
        values = [row[f"p_{code}"] for code in bundle.codes]
        np.testing.assert_allclose(values, answer.probabilities, atol=1e-6)


def test_what_cannot_be_done_is_said_before_anything_starts(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    with pytest.raises(OutputError, match="parquet"):
        ray_engine.run(str(bundle_folder), [str(tmp_path)], None)
    words = ["predict", "--bundle", str(bundle_folder), str(tmp_path)]
    assert main([*words, "--out", str(tmp_path / "a.parquet")]) == 2
    assert "--engine ray" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*words, "--engine", "ray", "--out", str(tmp_path / "a.parquet")]) == 2
    assert "ecgvision[ray]" in capsys.readouterr().err
