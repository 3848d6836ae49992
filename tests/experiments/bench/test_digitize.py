"""What is refused is counted, and the time told in passes of the network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgvision.core.errors import ImageError
from ecgvision.reader.data.unreadable import WAYS
from experiments.bench import __main__ as bench


@pytest.fixture
def words(trained_reader: Path, tiny_store: Path) -> list[str]:
    return ["digitize", "--bundle", str(trained_reader / "bundle"), "--store", str(tiny_store)]


def test_every_kind_of_picture_is_counted(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[np.ndarray] = []

    def digitize(bundle: object, image: np.ndarray) -> None:
        asked.append(image)
        if len(asked) % (1 + len(WAYS)) != 1:  # a page as it was drawn comes first
            raise ImageError("nothing can be read")

    monkeypatch.setattr("ecgvision.deploy.digitize.digitize", digitize)
    assert bench.main([*words, "--pages", "2", "--json", str(tmp_path / "all.json")]) == 0
    figures = json.loads((tmp_path / "all.json").read_text())["figures"]
    assert set(figures) == {"as it is", *WAYS}
    assert all(kind["pages"] == 2 and kind["median_ms"] >= 0 for kind in figures.values())
    assert {name: kind["refused"] for name, kind in figures.items()} == {
        "as it is": 0, **dict.fromkeys(WAYS, 2)
    }  # fmt: skip
    assert len(asked) == 2 * (1 + len(WAYS))


def test_stores_without_such_records_are_named(
    words: list[str], tmp_path: Path, make_store: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    few = make_store(tmp_path / "few", records=2)  # of folds 1 and 2
    assert bench.main([*words[:-1], str(few)]) == 2
    assert "no page to draw" in capsys.readouterr().err
