"""A table of answers: a row a page, whole or gone on with wherever it was interrupted."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ecgvision.cli import main
from ecgvision.core.errors import OutputError
from ecgvision.deploy import predict
from ecgvision.deploy.answer_table import AnswerTable
from ecgvision.deploy.bundle import Bundle
from tests.deploy import documents


def rows(file: Path) -> list[list[str]]:
    with open(file, newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def fill(table: AnswerTable, files: dict[str, int]) -> list[str]:
    """Add the files that are not there yet; return their names."""
    left = [name for name in files if name not in table.done]
    for name in left:
        table.add(name, [[f"{name} {page}"] for page in range(files[name])])
    table.finish()
    return left


@given(cut=st.floats(0, 1), names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
                                           min_size=1, max_size=6, unique=True))  # fmt: skip
def test_a_table_cut_anywhere_is_finished_with_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, cut: float, names: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("table")
    files = {name: 1 + number % 3 for number, name in enumerate(names)}
    fill(AnswerTable(folder / "whole.csv", ["x"], "bundle"), files)
    wanted = (folder / "whole.csv").read_bytes()
    (folder / "cut.csv.part").write_bytes(wanted[: int(cut * len(wanted))])
    fill(AnswerTable(folder / "cut.csv", ["x"], "bundle"), files)
    assert rows(folder / "cut.csv") == rows(folder / "whole.csv")
    assert not (folder / "cut.csv.part").exists()


def test_a_table_of_another_bundle_or_of_other_labels_is_not_gone_on_with(tmp_path: Path) -> None:
    table = AnswerTable(tmp_path / "a.csv", ["x"], "one")
    table.add("f", [["1"]])
    table.add("g", [["1"]])
    table.close()
    with pytest.raises(OutputError, match=r"another bundle.*Remove it"):
        AnswerTable(tmp_path / "a.csv", ["x"], "other")
    with pytest.raises(OutputError, match="other columns"):
        AnswerTable(tmp_path / "a.csv", ["y"], "one")
    again = AnswerTable(tmp_path / "a.csv", ["x"], "one")
    again.close()
    assert again.done == {"f", "g"}
    with pytest.raises(OutputError, match="cannot be written"):
        AnswerTable(tmp_path / "absent" / "a" / ("b" * 300), ["x"], "one")


def test_predict_goes_on_after_an_interruption(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    for number in range(1, 4):
        Image.fromarray(documents.numbered(number)).save(scans / f"{number}.png")
    (scans / "4.tiff").write_bytes(
        documents.tiff([documents.numbered(1), np.zeros((9, 9, 3), np.uint8)])
    )
    words = [
        "predict",
        "--bundle",
        str(bundle_folder),
        str(scans),
        "--csv",
        str(tmp_path / "a.csv"),
    ]
    asked, answer = [], predict.predict_picture

    def interrupted(*args, **kwargs):
        asked.append(args[2])
        if len(asked) == 3:
            raise KeyboardInterrupt
        return answer(*args, **kwargs)

    monkeypatch.setattr(predict, "predict_picture", interrupted)
    assert main(words) == 130
    assert "goes on" in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()
    assert main(words) == 2  # one page is too small
    assert [Path(name).stem for name in asked] == ["1", "2", "3", "3", "4"]
    head, *found = rows(tmp_path / "a.csv")
    assert [(Path(row[0]).name, row[1], row[2]) for row in found] == [
        ("1.png", "1", "1"), ("2.png", "1", "1"), ("3.png", "1", "1"), ("4.tiff", "1", "2"),
        ("4.tiff", "2", "2")]  # fmt: skip
    bundle = Bundle.open(bundle_folder, threads=1)
    wanted = predict.predict_file(bundle, scans / "2.png").probabilities
    at = head.index(f"p_{bundle.codes[0]}")
    np.testing.assert_allclose([float(v) for v in found[1][at : at + 5]], wanted, atol=1e-7)
    assert "too small" in found[-1][head.index("error")]
    assert {row[-1] for row in found} == {bundle.id}


def test_the_table_is_no_picture_that_is_read(bundle_folder: Path, tmp_path: Path, capsys) -> None:
    Image.fromarray(documents.numbered(1)).save(tmp_path / "a.png")
    words = ["predict", "--bundle", str(bundle_folder), str(tmp_path / "a.png"), "--csv"]
    assert main([*words, str(tmp_path / "a.png")]) == 2
    assert "overwrite" in capsys.readouterr().err
