"""Files and folders are whole or are not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecgvision.core.atomic_io import atomic_file, atomic_folder, write_json


@pytest.fixture(params=[0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_file_takes_its_name_at_the_end(tmp_path: Path, umask: int) -> None:
    file = tmp_path / "new" / "a.txt"
    with atomic_file(file) as part:
        part.write_text("one")
        assert not file.exists()
    assert file.read_text() == "one"
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask
    assert os.listdir(file.parent) == ["a.txt"]


def test_a_folder_takes_its_name_at_the_end_and_replaces(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "new" / "a"
    for name in ("first", "second"):
        with atomic_folder(folder) as part:
            (part / name).write_text(name)
            assert not (folder / name).exists()
        assert os.listdir(folder) == [name]
        assert folder.stat().st_mode & 0o777 == 0o777 & ~umask
    assert os.listdir(folder.parent) == ["a"]


def half_a_file(folder: Path) -> None:
    with atomic_file(folder / "a.json") as part:
        part.write_text("half")
        raise ZeroDivisionError


def half_a_folder(folder: Path) -> None:
    with atomic_folder(folder / "b") as part:
        (part / "half").touch()
        raise ZeroDivisionError


def test_a_folder_that_cannot_be_put_in_place_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "kept").touch()
    real = os.replace

    def fail(source: Path, target: Path) -> None:
        if Path(target).name == "a" and not str(source).endswith(".old"):
            raise PermissionError("not allowed")
        real(source, target)

    monkeypatch.setattr("ecgvision.core.atomic_io.os.replace", fail)
    with pytest.raises(PermissionError), atomic_folder(tmp_path / "a") as part:
        (part / "new").touch()
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == ["kept"]


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"lead": "aVR", "\u00b5V": [1.5, None]})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "kept").touch()
    for fails in (half_a_file, half_a_folder):
        with pytest.raises(ZeroDivisionError):
            fails(tmp_path)
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"x": object()})
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b"]
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {
        "lead": "aVR", "\u00b5V": [1.5, None]
    }  # fmt: skip
    assert os.listdir(tmp_path / "b") == ["kept"]
