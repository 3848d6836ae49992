"""`ecgvision evaluate` of readers: in other layouts, of other records, on pages drawn before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from data_prep import render_images
from ecgvision.cli import main
from ecgvision.core.errors import ConfigError, DataError, LayoutError
from ecgvision.reader.judge.digitisation import FIGURES
from ecgvision.reader.judge.read_split import COLUMNS
from ecgvision.trained_runs.reevaluate import evaluate_run
from experiments.release import reader as release_reader

pytestmark = [
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]


@pytest.fixture(scope="module")
def reader_run(trained_reader: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of its own for what is written into it."""
    return Path(shutil.copytree(trained_reader, tmp_path_factory.mktemp("judged") / "run"))


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def test_a_reader_is_judged_anew(
    reader_run: Path, tiny_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert main(["evaluate", str(reader_run), "--json"]) == 0  # as the run judged itself
    again = json.loads(capsys.readouterr().out)[str(reader_run)]
    assert again["reading"]["test"] == metrics_of(reader_run)["reading"]["test"]

    words = ["--layouts", "12x1,3x4", "--artefacts", "clean,scan", "--pages", "5"]
    assert main(["evaluate", str(reader_run), *words]) == 0
    printed = capsys.readouterr().out
    assert "12x1" in printed
    folder = Path(printed.splitlines()[-1])
    assert folder.parent == reader_run / "evaluations"
    assert {p.name for p in folder.iterdir()} == {"metrics.json", "reading.parquet", "report.html"}
    told = metrics_of(folder)["reading"]["test"]
    assert told["all"]["pages"] == 5
    assert {"view:12x1, clean", "view:3x4, scan"} <= set(told)
    assert "How well it reads" in (folder / "report.html").read_text()
    table = pd.read_parquet(folder / "reading.parquet")
    assert list(table.columns) == [*COLUMNS, *FIGURES, "lead_confidence", "confidence"]
    assert set(table["gain"]) == {10.0}
    written = (folder / "metrics.json").stat().st_mtime_ns
    assert main(["evaluate", str(reader_run), *words]) == 0
    assert (folder / "metrics.json").stat().st_mtime_ns == written

    assert main(["evaluate", str(reader_run), *words, "--gain", "5", "--speed", "50"]) == 0
    other = Path(capsys.readouterr().out.splitlines()[-1])
    assert other != folder  # these are other pages
    drawn = pd.read_parquet(other / "reading.parquet")
    assert (set(drawn["gain"]), set(drawn["speed"])) == ({5.0}, {50.0})

    monkeypatch.chdir(tmp_path)
    package = tmp_path / "package"
    release_reader.release(reader_run, package)
    monkeypatch.setattr("ecgvision.shipped.READER", package)
    found = evaluate_run("shipped", stores=[str(tiny_store)])
    assert found.parent == Path("runs/read/shipped/evaluations")
    assert metrics_of(found)["reading"]["test"] == again["reading"]["test"]
    capsys.readouterr()
    for wrong, said in (
        (["shipped"], "--store"), ([str(reader_run), "--fill", "knn"], "--fill"),
        ([str(reader_run), "--layouts", "3x5"], "3x5"),
        ([str(reader_run), "--store", "nowhere"], "nowhere"),
    ):  # fmt: skip
        assert main(["evaluate", *wrong]) == 2
        assert said in capsys.readouterr().err
    for option, value in (("--pages", "0"), ("--gain", "-5")):  # refused by argparse, which exits
        with pytest.raises(SystemExit) as caught:
            main(["evaluate", str(reader_run), option, value])
        assert caught.value.code == 2
        assert option in capsys.readouterr().err
    assert not list(package.rglob("evaluations"))


def test_a_reader_is_judged_on_pages_drawn_before(
    reader_run: Path, tiny_store: Path, tmp_path: Path, make_store
) -> None:
    pages = str(tmp_path / "pages")
    draw = ["--out", pages, "--dpi", "25", "--layouts", "3x4+II,6x2"]
    assert render_images.main([str(tiny_store), *draw]) == 0

    def judged(**more) -> dict:
        return metrics_of(evaluate_run(reader_run, images=[pages], **more))

    told = judged()
    assert told["reading"]["test"]["all"]["pages"] == 12  # six records of the test fold
    assert told["artefacts"] == ["clean"]
    assert judged(pages=5)["reading"]["test"]["all"]["pages"] == 4  # of two records
    worn = judged(layouts=["6x2"], artefacts=["scan"])["reading"]["test"]
    assert worn["layout:6x2"]["pages"] == worn["artefact:scan"]["pages"] == 6
    assert len(list((reader_run / "evaluations").glob("read-*"))) >= 3

    with pytest.raises(ConfigError, match="at least 2"):
        judged(pages=1)
    with pytest.raises(LayoutError, match="12x1"):
        judged(layouts=["12x1"])
    other = make_store(tmp_path / "other", records=20)
    with pytest.raises(DataError, match="one folder of pages for each store"):
        judged(stores=[str(other)])
    with pytest.raises(DataError, match="no such folder of pages"):
        evaluate_run(reader_run, images=[str(tmp_path / "nowhere")])
